/** What a signed URL points at: the snapshot itself, as opaque bytes under the type that they came with. */
import { z } from 'zod';
import {
  snapshotBytesHeldMax,
  snapshotBytesMax,
  snapshotContentTypeLengthMax,
  snapshotReadDeadlineMs,
} from '../../domain/limits.ts';
import { type SnapshotGrant, snapshotObjectPath } from '../../tokens/snapshot-url.ts';
import { type ByteBudget, byteBudget } from '../byte-budget.ts';
import type { HttpParts, SnapshotParts } from '../http-parts.ts';
import type { Operation } from '../operation.ts';
import { readRaw } from '../read-json.ts';
import { refuse } from '../refusal.ts';
import type { Exchange, Route } from '../route.ts';

const signedQuery = z.object({
  run: z.int().min(1).optional().meta({ description: 'With `attempt`: who may store.' }),
  attempt: z.int().min(1).optional(),
  expires: z.int().min(1).meta({ description: 'Unix seconds.' }),
  signature: z.string().meta({ description: 'Over all of the URL: use it as it was given.' }),
});

const reading: Operation = {
  id: 'read_snapshot',
  tag: 'sessions',
  summary: 'Read a snapshot by its signed URL',
  query: signedQuery,
  answers: {
    200: { description: 'The bytes, under the type that they were stored with.', type: '*/*', schema: z.string() },
  },
  refusals: ['signature_invalid', 'not_found', 'snapshots_crowded', 'unavailable'],
};

const storing: Operation = {
  id: 'store_snapshot',
  tag: 'sessions',
  summary: 'Store a snapshot by its signed URL',
  query: signedQuery,
  body: {
    rawBytesMax: snapshotBytesMax,
    types: ['application/vnd.trigger.transcript+ndjson', 'application/octet-stream'],
  },
  answers: { 204: { description: 'Stored, in place of the one before.' } },
  refusals: ['signature_invalid', 'snapshot_refused', 'snapshots_crowded', 'unavailable'],
};

/** The URL is the credential, so no header is looked at. */
export function snapshotObjectRoutes({ snapshots }: Pick<HttpParts, 'snapshots'>): readonly Route[] {
  const budget = byteBudget(snapshotBytesHeldMax);
  const route = (
    method: 'GET' | 'PUT',
    operation: Operation,
    answer: (exchange: Exchange, grant: SnapshotGrant) => Promise<void>,
  ): Route => ({
    method,
    path: snapshotObjectPath,
    crossOrigin: true,
    credential: 'none',
    operation,
    answer: (exchange) => answer(exchange, grantOf(exchange, snapshots)),
  });
  return [
    route('GET', reading, (exchange, { sessionId }) =>
      answerSnapshot(exchange, { store: snapshots.store, budget, sessionId }),
    ),
    route('PUT', storing, (exchange, grant) => storeSnapshot(exchange, { store: snapshots.store, budget, grant })),
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
