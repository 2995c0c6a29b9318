/**
 * `npm start` and `perdure start` as a person at a terminal has them: one folder, started, stopped, killed and
 * started again. The tests follow each other on that folder.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { endWithUs } from '../harness/private-temporal.ts';
import { type SpawnedProcess, spawnProcess, spawnProgram } from '../harness/processes.ts';
import { temporalCliPath } from '../harness/temporal.ts';
import { type Family, familyOf, temporalServersOn } from './process-tree.ts';

/** A first start makes a database, and the first `npm start` of a clone builds; both on a machine that may be busy. */
vi.setConfig({ testTimeout: 180_000 });

let folder: string;
let environment: Record<string, string>;
let running: { readonly server: SpawnedProcess; readonly family: Family } | null = null;
/** What the first start said and made; null when it has failed. */
let first: { readonly key: string; readonly sessionId: string } | null = null;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perdure-start-'));
  environment = {
    DATA_DIR: join(folder, 'data'),
    PORT: String(await freePort()),
    TEMPORAL_PORT: String(await freePort()),
    TEMPORAL_UI_PORT: String(await freePort()),
    TEMPORAL_CLI_PATH: temporalCliPath(),
    npm_config_update_notifier: 'false',
  };
});

/** A test that failed half-way leaves nothing to the next one. */
afterEach(async () => {
  const { server, family } = running ?? {};
  const late = server === undefined ? undefined : await familyOf(server.pid);
  for (const { pid } of [...((await family?.alive()) ?? []), ...((await late?.alive()) ?? [])]) killQuietly(pid);
  running = null;
});

/** Calls off what would end the orphaned Temporal, should we be killed before it is looked after. */
let callOffOrphanGuard = (): void => undefined;

afterAll(async () => {
  callOffOrphanGuard();
  for (const { pid } of temporalsOnOurPort()) killQuietly(pid);
  await rm(folder, { recursive: true, force: true });
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Resolves once the demo task is served, which is the last thing to come up. */
async function start(server: SpawnedProcess): Promise<Family> {
  running = { server, family: await familyOf(server.pid) };
  await server.line(/"msg":"tasks ready/);
  const family = await familyOf(server.pid);
  running = { server, family };
  return family;
}

/** What is printed after a label. */
const printed = (server: SpawnedProcess, label: string): string =>
  server.lines.flatMap((line) => (line.startsWith(`  ${label}  `) ? [line.slice(label.length + 2).trim()] : []))[0] ??
  '';

/** The calls in a text, each with the lines that it is continued on. */
const curlsIn = (lines: readonly string[]): string[] =>
  lines
    .join('\n')
    .split(/(?<!\\)\n/)
    .map((command) => command.trim())
    .filter((command) => command.startsWith('curl '));

/** A call as a person pastes it into a shell. */
async function paste(command: string): Promise<{ status: string; body: any }> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command.replace('curl ', "curl -w '\\n%{http_code}' ")]);
  const [body = '', status = ''] = stdout.split('\n');
  return { status, body: JSON.parse(body) };
}

/** The first printed call: it creates the session. */
const pasteCurl = (server: SpawnedProcess) => paste(curlsIn(server.lines)[0] ?? '');

/** A tail as a person watches it, until it shows the text. */
async function watchFor(command: string, text: string): Promise<void> {
  const tail = spawnProgram(['sh', '-c', `exec ${command}`]);
  await tail.line(new RegExp(text));
  await tail.kill();
}

/** The calls that README shows, with what a person puts in. */
const readmeCurls = async (api: string, key: string): Promise<string[]> =>
  curlsIn((await readFile(new URL('../../README.md', import.meta.url), 'utf8')).split('\n')).map((command) =>
    command.replaceAll('http://127.0.0.1:3040', api).replaceAll('tr_dev_...', key),
  );

const temporalsOnOurPort = () => temporalServersOn(environment['TEMPORAL_PORT'] ?? '');

test('npm start in an empty folder says where everything is, and first calls that work when pasted', async () => {
  const server = spawnProgram(['npm', 'start'], environment);
  const family = await start(server);
  const commands = family.members.map(({ command }) => command).join('\n');
  expect(commands).toMatch(/server start-dev/);
  expect(commands).toMatch(/cli\.js tasks /);

  const api = `http://127.0.0.1:${environment['PORT']}`;
  expect(printed(server, 'API')).toBe(api);
  const ui = printed(server, 'Temporal UI');
  expect(ui).toBe(`http://127.0.0.1:${environment['TEMPORAL_UI_PORT']}`);
  expect((await fetch(ui)).status).toBe(200);
  const key = printed(server, 'Secret key');
  expect(key).toMatch(/^tr_dev_\w{16,}$/);

  const { status, body } = await pasteCurl(server);
  expect(status).toBe('201');
  expect(body).toMatchObject({ isCached: false, externalId: 'chat_1', taskIdentifier: 'my-chat' });
  await server.line(/hello chat_1, this is run 1 \(initial\), attempt 1/);
  first = { key, sessionId: body.id };

  const [, say = '', read = ''] = curlsIn(server.lines);
  expect(await paste(say)).toEqual({ status: '200', body: { ok: true, seq: 0 } });
  await watchFor(read, 'session-in-event-id","0"');
  // README shows the same calls, and the session is there already.
  const [create = '', sayAgain = '', readAgain = '', ...others] = await readmeCurls(api, key);
  expect(others).toEqual([]);
  expect(await paste(create)).toMatchObject({ status: '200', body: { id: body.id, isCached: true } });
  expect(await paste(sayAgain)).toEqual({ status: '200', body: { ok: true, seq: 1 } });
  await watchFor(readAgain, 'session-in-event-id","1"');

  const second = spawnProcess({
    command: ['start'],
    environment: { ...environment, PORT: '0', TEMPORAL_PORT: '0', TEMPORAL_UI_PORT: '0' },
  });
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.lines.at(-1)).toMatch(/^perdure: Another Perdure \(process \d+\) is already running on the folder /);
  expect((await fetch(`${api}/readyz`)).status).toBe(200);

  // As a supervisor does it, which knows npm's process alone.
  server.signal('SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(await family.alive()).toEqual([]);
});

test('the next start finds the session and prints the same key; killed outright, it leaves only a Temporal', async () => {
  const server = spawnProcess({ command: ['start'], environment });
  const family = await start(server);
  expect(printed(server, 'Secret key')).toBe(first?.key);
  expect(await pasteCurl(server)).toMatchObject({ status: '200', body: { id: first?.sessionId, isCached: true } });
  await server.kill();
  // The demo's worker notices; Temporal cannot.
  await expect
    .poll(async () => (await family.alive()).map(({ command }) => command), { timeout: 15_000 })
    .toEqual([expect.stringContaining('start-dev')]);
  // It stays for the next test, which finds it as the next start of a user would.
  running = null;
  callOffOrphanGuard = endWithUs(Number(temporalsOnOurPort()[0]?.pid), folder);
});

test('the start after that stops the orphaned Temporal and has a new one; Ctrl-C ends all of it', async () => {
  const [orphan, ...others] = temporalsOnOurPort();
  expect(others).toEqual([]);
  const server = spawnProgram(['npm', 'start'], environment);
  const family = await start(server);
  expect(server.lines.join('\n')).toContain(
    `Stopping the Temporal server (process ${orphan?.pid}) that an earlier Perdure left behind`,
  );
  const temporals = temporalsOnOurPort();
  expect(temporals).toHaveLength(1);
  expect(temporals[0]?.pid).not.toBe(orphan?.pid);
  expect(await pasteCurl(server)).toMatchObject({ status: '200', body: { id: first?.sessionId, isCached: true } });

  // A terminal sends it to its whole foreground group: npm and the server.
  process.kill(-server.pid, 'SIGINT');
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(server.lines.at(-1)).toContain('"msg":"stopped"');
  expect(await family.alive()).toEqual([]);
});
