import type { Database, DatabaseProblem } from './database.ts';
import { openPglite } from './pglite.ts';
import { openPostgres } from './postgres.ts';

export interface DatabaseOptions {
  /** Null: PGlite in `dataDir`. */
  readonly url: string | null;
  /** Absolute. */
  readonly dataDir: string;
  readonly poolSize: number;
  readonly onProblem: (problem: DatabaseProblem) => void;
}

export async function openDatabase({ url, dataDir, poolSize, onProblem }: DatabaseOptions): Promise<Database> {
  return url === null ? openPglite({ dataDir, onProblem }) : openPostgres({ url, poolSize, onProblem });
}
