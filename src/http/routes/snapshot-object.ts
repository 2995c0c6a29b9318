/** What a signed URL points at: the snapshot itself, as opaque bytes under the type that they came with. */
import {
  snapshotBytesHeldMax,
  snapshotBytesMax,
  snapshotContentTypeLengthMax,
  snapshotReadDeadlineMs,
} from '../../domain/limits.ts';
import { type SnapshotGrant, snapshotObjectPath } from '../../tokens/snapshot-url.ts';
import { type ByteBudget, byteBudget } from '../byte-budget.ts';
import type { HttpParts, SnapshotParts } from '../http-parts.ts';
import { readRaw } from '../read-json.ts';
import { refuse } from '../refusal.ts';
import type { Exchange, Route } from '../route.ts';

/** The URL is the credential, so no header is looked at. */
export function snapshotObjectRoutes({ snapshots }: Pick<HttpParts, 'snapshots'>): readonly Route[] {
  const budget = byteBudget(snapshotBytesHeldMax);
  const route = (
    method: 'GET' | 'PUT',
    answer: (exchange: Exchange, grant: SnapshotGrant) => Promise<void>,
  ): Route => ({
    method,
    path: snapshotObjectPath,
    crossOrigin: true,
    credential: 'none',
    answer: (exchange) => answer(exchange, grantOf(exchange, snapshots)),
  });
  return [
    route('GET', (exchange, { sessionId }) => answerSnapshot(exchange, { store: snapshots.store, budget, sessionId })),
    route('PUT', (exchange, grant) => storeSnapshot(exchange, { store: snapshots.store, budget, grant })),
  ];
}

function grantOf(exchange: Exchange, { urls }: SnapshotParts): SnapshotGrant {
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
  const grant = urls.verify({ method, path: exchange.path, query: exchange.querystring });
  if (grant === null) return refuse({ code: 'signature_invalid' });
  exchange.state.sessionId = grant.sessionId;
  return grant;
}

interface Reading extends Pick<SnapshotParts, 'store'> {
  readonly budget: ByteBudget;
  readonly sessionId: SnapshotGrant['sessionId'];
}

async function answerSnapshot(exchange: Exchange, { store, budget, sessionId }: Reading): Promise<void> {
  const snapshot = await store.read(sessionId);
  if (snapshot === null) return refuse({ code: 'not_found', retry: false });
  const { bytes, contentType } = snapshot;
  if (!budget.take(bytes.length)) return refuse({ code: 'snapshots_crowded' });
  // Held until a slow reader has taken the last of them.
  exchange.res.once('close', () => budget.give(bytes.length));
  exchange.set({
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    // A client chose the type; shown as a page, it would be one of this origin.
    'Content-Disposition': 'attachment',
    'Content-Security-Policy': "default-src 'none'; sandbox",
  });
  exchange.body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface Storing extends Pick<SnapshotParts, 'store'> {
  readonly budget: ByteBudget;
  readonly grant: SnapshotGrant;
}

async function storeSnapshot(exchange: Exchange, { store, budget, grant }: Storing): Promise<void> {
  const contentType = contentTypeOf(exchange);
  const declared = Number(exchange.get('Content-Length') || Number.NaN);
  if (declared > snapshotBytesMax) return refuse({ code: 'body_too_large' });
  const bytesHeld = Number.isNaN(declared) ? snapshotBytesMax : declared;
  if (!budget.take(bytesHeld)) return refuse({ code: 'snapshots_crowded' });
  try {
    const bytes = await readRaw(exchange, { bytesMax: snapshotBytesMax, deadlineMs: snapshotReadDeadlineMs });
    const outcome = await store.write(grant.sessionId, { contentType, bytes }, grant.writer);
    if (outcome === 'refused') return refuse({ code: 'snapshot_refused' });
    exchange.status = 204;
  } finally {
    budget.give(bytesHeld);
  }
}

function contentTypeOf(exchange: Exchange): string {
  const contentType = exchange.get('Content-Type') || 'application/octet-stream';
  if (contentType.length <= snapshotContentTypeLengthMax && /^[\x20-\x7e]+$/.test(contentType)) return contentType;
  const message = `Expected at most ${snapshotContentTypeLengthMax} printable ASCII characters`;
  return refuse({ code: 'invalid_params', details: [{ code: 'custom', message, path: ['content-type'] }] });
}
