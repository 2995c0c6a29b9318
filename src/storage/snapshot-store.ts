/**
 * Snapshots in the database, or in an object store with the database saying which object counts: so the fence of
 * an attempt holds for both, and a read sees what was stored last.
 */
import { randomUUID } from 'node:crypto';
import type { NumberedAttempt } from '../domain/attempt.ts';
import { Unavailable } from '../domain/failure.ts';
import type { SessionId } from '../domain/ids.ts';
import { snapshotReadsMax } from '../domain/limits.ts';
import type { Snapshot, SnapshotStore } from '../sessions/ports.ts';
import type { Database, Sql, SqlRow } from './database.ts';

/** Objects are written once and read under the name that they were given. Throws `Unavailable`. */
export interface ObjectStore {
  put(name: string, object: Snapshot): Promise<void>;
  /** Null when there is none of that name. */
  get(name: string): Promise<Uint8Array | null>;
  remove(name: string): Promise<void>;
}

export interface SnapshotStoreOptions {
  /** Null: bytes go into the database. */
  readonly objects: ObjectStore | null;
  /** An object that nothing names any more is still there. */
  readonly onLeftOver: (name: string, error: unknown) => void;
}

/** V14: tested and held until the commit, so that an attempt that was replaced stores nothing afterwards. */
const lockOutSql = `
  SELECT 1 FROM outs
  WHERE session_id = $1 AND ($2::int IS NULL OR (fence_run = $2 AND fence_attempt = $3))
  FOR NO KEY UPDATE`;

const storeSql = `
  INSERT INTO snapshots (session_id, content_type, body, object_name) VALUES ($1, $2, $3, $4)
  ON CONFLICT (session_id) DO UPDATE
  SET content_type = EXCLUDED.content_type, body = EXCLUDED.body, object_name = EXCLUDED.object_name,
    stored_at = clock_timestamp()`;

interface SnapshotRow extends SqlRow {
  readonly content_type: string;
  readonly body: Uint8Array | null;
  readonly object_name: string | null;
}

export function sqlSnapshotStore(db: Database, { objects, onLeftOver }: SnapshotStoreOptions): SnapshotStore {
  const removed = (name: string | null) =>
    name === null || objects === null ? null : objects.remove(name).catch((error: unknown) => onLeftOver(name, error));
  return {
    async write(sessionId, snapshot, writer) {
      const name = objects === null ? null : `sessions/${sessionId}/snapshot-${randomUUID()}.json`;
      if (objects !== null && name !== null) await objects.put(name, snapshot);
      const stored = await db.transaction((sql) => store(sql, { sessionId, snapshot, writer, name }));
      await removed(stored.kind === 'stored' ? stored.replaced : name);
      return stored.kind;
    },
    async read(sessionId) {
      for (let round = 0; round < snapshotReadsMax; round += 1) {
        const row = await readRow(db, sessionId);
        const bytes = row?.object_name === null ? row.body : await objectOf(row, objects);
        if (row === null) return null;
        if (bytes !== null) return { contentType: row.content_type, bytes };
      }
      throw new Unavailable('object store', new Error(`the snapshot of ${sessionId} is not where its row says`));
    },
  };
}

interface StoreOrder {
  readonly sessionId: SessionId;
  readonly snapshot: Snapshot;
  readonly writer: NumberedAttempt | null;
  /** Null: the bytes themselves are stored. */
  readonly name: string | null;
}

type Stored = { readonly kind: 'refused' } | { readonly kind: 'stored'; readonly replaced: string | null };

async function store(sql: Sql, { sessionId, snapshot, writer, name }: StoreOrder): Promise<Stored> {
  const locked = await sql.query(lockOutSql, [sessionId, writer?.runNumber ?? null, writer?.attempt ?? null]);
  if (locked.length === 0) return { kind: 'refused' };
  const [before] = await sql.query<{ object_name: string | null }>(
    'SELECT object_name FROM snapshots WHERE session_id = $1',
    [sessionId],
  );
  await sql.query(storeSql, [sessionId, snapshot.contentType, name === null ? snapshot.bytes : null, name]);
  return { kind: 'stored', replaced: before?.object_name ?? null };
}

async function readRow(db: Database, sessionId: SessionId): Promise<SnapshotRow | null> {
  const [row] = await db.query<SnapshotRow>(
    'SELECT content_type, body, object_name FROM snapshots WHERE session_id = $1',
    [sessionId],
  );
  return row ?? null;
}

/** Null when the object is gone: a newer snapshot has replaced it since the row was read. */
async function objectOf(row: SnapshotRow | null, objects: ObjectStore | null): Promise<Uint8Array | null> {
  if (row === null || row.object_name === null) return null;
  if (objects !== null) return objects.get(row.object_name);
  throw new Error('a snapshot is in an object store, and none is configured');
}
