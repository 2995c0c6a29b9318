/** Who takes part in the bench of create. */
import type { Engines } from '../engines.ts';
import type { ServerProcess } from '../server-process.ts';
import type { CreateClient } from './create-client.ts';
import type { EngineProcess } from './engine-process.ts';

export interface Site {
  readonly server: ServerProcess;
  readonly client: CreateClient;
  /** Null: PGlite. */
  readonly databaseUrl: string | null;
}

export interface Field {
  readonly engines: Engines;
  readonly engine: EngineProcess;
  readonly onPostgres: Site;
  /** Another server and database, with many sessions in the table. */
  readonly onFilled: Site;
  /** Another process on the same database. */
  readonly besideFilled: Site;
  readonly onPglite: Site;
}
