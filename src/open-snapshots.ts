/** Where snapshots are kept: in the database, or in an object store beside it. */
import type { ServerOptions } from './server-options.ts';
import type { SnapshotStore } from './sessions/ports.ts';
import type { Database } from './storage/database.ts';
import { s3Objects } from './storage/s3-objects.ts';
import { sqlSnapshotStore } from './storage/snapshot-store.ts';

export function openSnapshots(
  { config, log }: Pick<ServerOptions, 'config' | 'log'>,
  database: Database,
): SnapshotStore {
  const { objectStore } = config;
  return sqlSnapshotStore(database, {
    objects: objectStore === null ? null : s3Objects(objectStore),
    onLeftOver: (name, error) => log.warn({ name, error }, 'an object that nothing names was not removed'),
  });
}
