/**
 * URLs that let their holder store or read one session's snapshot for a while, without any other credential. They
 * are signed with a key that is derived from `ENCRYPTION_KEY` and used for nothing else, so that every process of an
 * installation takes the URLs of every other, and none of them tells anything about a key of the API.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { NumberedAttempt } from '../domain/attempt.ts';
import { parseSessionId, type SessionId } from '../domain/ids.ts';
import { snapshotUrlTtlSeconds } from '../domain/limits.ts';

export interface SnapshotGrant {
  readonly method: 'GET' | 'PUT';
  readonly sessionId: SessionId;
  /** Of the credential that the URL was given for: what it stores counts only while that attempt serves the session. */
  readonly writer: NumberedAttempt | null;
}

export interface SnapshotUrls {
  /** Path and query below the public URL. */
  sign(grant: SnapshotGrant): string;
  /** Null: never signed so, altered, or past its time. */
  verify(request: { readonly method: string; readonly path: string; readonly query: string }): SnapshotGrant | null;
}

/** @param encryptionKeys 64 hexadecimal digits each; the first signs, all of them verify */
export function snapshotUrls(encryptionKeys: readonly string[], nowMs: () => number): SnapshotUrls {
  const keys = encryptionKeys.map(deriveKey);
  return {
    sign(grant) {
      const [key] = keys;
      if (key === undefined) throw new Error('a snapshot URL needs a key to be signed with');
      const query = queryOf(grant, Math.floor(nowMs() / 1_000) + snapshotUrlTtlSeconds);
      return `${pathOf(grant.sessionId)}?${query}&signature=${signatureOf(key, { ...grant, query })}`;
    },
    verify({ method, path, query }) {
      const grant = parse(method, path, query);
      if (grant === null || grant.expiresAtSeconds * 1_000 <= nowMs()) return null;
      const isSigned = keys.some((key) => isEqual(signatureOf(key, grant), grant.signature));
      return isSigned ? { method: grant.method, sessionId: grant.sessionId, writer: grant.writer } : null;
    },
  };
}

const deriveKey = (encryptionKey: string): Buffer =>
  Buffer.from(hkdfSync('sha256', Buffer.from(encryptionKey, 'hex'), '', 'perdure snapshot urls 1', 32));

export const snapshotObjectPath = '/objects/v1/sessions/:session/snapshot.json';

const pathOf = (sessionId: SessionId): string => snapshotObjectPath.replace(':session', sessionId);

function queryOf({ writer }: SnapshotGrant, expiresAtSeconds: number): string {
  const fenced = writer === null ? '' : `run=${writer.runNumber}&attempt=${writer.attempt}&`;
  return `${fenced}expires=${expiresAtSeconds}`;
}

interface Signed {
  readonly method: string;
  readonly sessionId: SessionId;
  readonly query: string;
}

const signatureOf = (key: Buffer, { method, sessionId, query }: Signed): string =>
  createHmac('sha256', key).update(`${method}\n${sessionId}\n${query}`).digest('base64url');

const signedQuery = /^((?:run=([1-9]\d{0,9})&attempt=([1-9]\d{0,9})&)?expires=([1-9]\d{0,11}))&signature=([\w-]{43})$/;

/** One spelling only: what was signed is the very text that arrives. */
function parse(method: string, path: string, query: string) {
  const [, signed, run, attempt, expires, signature] = signedQuery.exec(query) ?? [];
  const sessionId = parseSessionId(path.split('/').at(-2) ?? '');
  if (sessionId === null || signed === undefined || signature === undefined) return null;
  if (method !== 'GET' && method !== 'PUT') return null;
  const writer = run === undefined ? null : { runNumber: Number(run), attempt: Number(attempt) };
  return { method, sessionId, writer, query: signed, expiresAtSeconds: Number(expires), signature } as const;
}

function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
