/**
 * PGlite databases in memory for tests. Making the system tables takes 1.6 s and 760 MB each time, loading an image of
 * them 0.5 s and 410 MB; so the first suite leaves a migrated image in the cache folder of node_modules.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import type { Database, DatabaseProblem } from '../../src/storage/database.ts';
import { migrate, readMigrations } from '../../src/storage/migrate.ts';
import { pgliteDatabase } from '../../src/storage/pglite.ts';

export async function openMigratedPglite(onProblem: (problem: DatabaseProblem) => void): Promise<Database> {
  const image = imagePath();
  if (!existsSync(image)) await makeImage(image);
  const engine = await PGlite.create({ loadDataDir: new Blob([readFileSync(image)]) });
  return pgliteDatabase(engine, onProblem);
}

const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/perdure/', import.meta.url));

/** Named after all that goes into it. */
function imagePath(): string {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const engine = readFileSync(join(dirname(entry), '..', 'package.json'));
  const digest = createHash('sha256').update(engine);
  for (const migration of readMigrations()) digest.update(migration.digest);
  return join(cacheFolder, `pglite-${digest.digest('hex').slice(0, 16)}.tar`);
}

/** Several workers may do this at once: the file appears whole, and all of them make the same. */
async function makeImage(path: string): Promise<void> {
  const engine = await PGlite.create();
  const database = pgliteDatabase(engine, () => {});
  await migrate(database);
  const image = await engine.dumpDataDir('none');
  await database.close();
  mkdirSync(cacheFolder, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, Buffer.from(await image.arrayBuffer()));
  renameSync(unfinished, path);
  for (const file of readdirSync(cacheFolder)) {
    if (/^pglite-\w+\.tar$/.test(file) && file !== basename(path)) rmSync(join(cacheFolder, file), { force: true });
  }
}
