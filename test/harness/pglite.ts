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
  return pgliteDatabase(await PGlite.create({ loadDataDir: await migratedImage() }), onProblem);
}

/** Makes a folder that `openPglite` opens at once: a first start in an empty one is slow. */
export async function makeMigratedFolder(dataDir: string): Promise<void> {
  await (await PGlite.create({ dataDir, loadDataDir: await migratedImage() })).close();
}

async function migratedImage(): Promise<Blob> {
  const path = imagePath();
  if (existsSync(path)) return new Blob([readFileSync(path)]);
  const image = await makeImage();
  await keepImage(path, image);
  return image;
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

async function makeImage(): Promise<Blob> {
  const engine = await PGlite.create();
  const database = pgliteDatabase(engine, () => {});
  await migrate(database);
  const image = await engine.dumpDataDir('none');
  await database.close();
  return image;
}

/** Several workers may do this at once: the file appears whole, and all of them made the same. */
async function keepImage(path: string, image: Blob): Promise<void> {
  const unfinished = `${path}.${process.pid}`;
  try {
    mkdirSync(cacheFolder, { recursive: true });
    writeFileSync(unfinished, Buffer.from(await image.arrayBuffer()));
    renameSync(unfinished, path);
    for (const file of readdirSync(cacheFolder)) {
      if (/^pglite-\w+\.tar$/.test(file) && file !== basename(path)) rmSync(join(cacheFolder, file), { force: true });
    }
  } catch (error) {
    // A checkout that belongs to somebody else: the next suite makes its own image again.
    console.warn(`The PGlite image is not kept: ${String(error)}`);
  }
}
