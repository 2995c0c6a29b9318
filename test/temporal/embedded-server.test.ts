import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identifyProcess } from '../../src/live-process.ts';
import {
  type EmbeddedTemporal,
  type EmbeddedTemporalOptions,
  startEmbeddedTemporal,
  type UnexpectedExit,
} from '../../src/temporal/embedded-server.ts';
import { freePort } from '../harness/free-port.ts';
import { endWithUs } from '../harness/private-temporal.ts';
import { runProgram } from '../harness/program.ts';
import { connectTo, temporalCliPath } from '../harness/temporal.ts';

let dataDir: string;
let cleanUps: (() => unknown)[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'perdure-embedded-'));
  cleanUps = [];
});

afterEach(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(changes: Partial<EmbeddedTemporalOptions> = {}): Promise<EmbeddedTemporal> {
  const server = await startEmbeddedTemporal({
    cliPath: temporalCliPath(),
    dataDir,
    host: '127.0.0.1',
    port: 0,
    uiPort: 0,
    namespaces: [namespace()],
    onProgress: () => undefined,
    onExit: () => undefined,
    ...changes,
  });
  cleanUps.push(() => killAndStop(server), endWithUs(server.pid, dataDir));
  return server;
}

/** A clean stop takes a second, and these stores are thrown away. */
async function killAndStop(server: EmbeddedTemporal): Promise<void> {
  if ((await ownTemporals()).includes(server.pid)) process.kill(server.pid, 'SIGKILL');
  await server.stop();
}

/** Shows in the server's arguments whose it is. */
const namespace = () => basename(dataDir);

/** Pids of this test's live servers. */
async function ownTemporals(): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,stat=,args=']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(`--namespace ${namespace()} `) && !/^\s*\d+\s+Z/.test(line))
    .map((line) => Number(/\d+/.exec(line)?.[0]));
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

test('it serves with its UI, our namespaces and our search attributes, and leaves nothing running', async () => {
  const server = await start();
  const temporal = await connectTo(server.address, namespace());
  const { customAttributes } = await temporal.connection.operatorService.listSearchAttributes({
    namespace: namespace(),
  });
  expect(Object.keys(customAttributes ?? {}).toSorted()).toEqual([
    'SessionEnvironment',
    'SessionExternalId',
    'SessionId',
    'SessionStatus',
    'SessionTags',
    'SessionTask',
    'SessionType',
  ]);
  await temporal.close();
  expect((await fetch(server.uiUrl)).status).toBe(200);
  expect(await ownTemporals()).toEqual([server.pid]);
  await server.stop();
  await server.stop();
  expect(await ownTemporals()).toEqual([]);
  expect(await exists(join(dataDir, 'temporal.json'))).toBe(false);
});

test('workflows survive a stop and a start', async () => {
  const first = await start();
  const before = await connectTo(first.address, namespace());
  const options = { workflowId: 'kept', taskQueue: 'nobody' };
  const { firstExecutionRunId } = await before.client.workflow.start('any', options);
  await before.close();
  await first.stop();
  const second = await start();
  const after = await connectTo(second.address, namespace());
  const found = await after.client.workflow.getHandle('kept').describe();
  await after.close();
  expect([found.status.name, found.runId]).toEqual(['RUNNING', firstExecutionRunId]);
});

test('its store is in the data folder, whatever that is called', async () => {
  const named = join(dataDir, "a b#c%41?d='e'");
  await mkdir(named);
  const server = await start({ dataDir: named });
  expect(await exists(join(named, 'temporal.db'))).toBe(true);
  await server.stop();
});

test('a server that a killed parent left behind is stopped before the next one starts', async () => {
  const parent = runProgram('test/temporal/programs/run-embedded.ts', temporalCliPath(), dataDir, namespace());
  const [, orphan] = await parent.line(/^temporal (\d+)$/);
  cleanUps.push(endWithUs(Number(orphan), dataDir));
  await parent.kill('SIGKILL');
  expect(await ownTemporals()).toEqual([Number(orphan)]);
  const lines: string[] = [];
  const server = await start({ onProgress: (line) => lines.push(line) });
  expect(lines).toEqual([`Stopping the Temporal server (process ${orphan}) that an earlier Perdure left behind`]);
  expect(await ownTemporals()).toEqual([server.pid]);
});

test('a parent that exits without stopping it takes it along', async () => {
  const parent = runProgram('test/temporal/programs/run-embedded.ts', temporalCliPath(), dataDir, namespace());
  const [, pid] = await parent.line(/^temporal (\d+)$/);
  cleanUps.push(endWithUs(Number(pid), dataDir));
  parent.endInput();
  expect(await parent.exited).toBe(0);
  await expect.poll(ownTemporals, { timeout: 10_000 }).toEqual([]);
});

test('a process that merely has the recorded pid is left alone', async () => {
  const stranger = spawn('sleep', ['300'], { stdio: 'ignore' });
  cleanUps.push(() => stranger.kill('SIGKILL'));
  const identity = await identifyProcess(stranger.pid ?? 0);
  await writeFile(join(dataDir, 'temporal.json'), JSON.stringify({ ...identity, startedAt: '1' }));
  await start();
  expect([stranger.exitCode, stranger.signalCode]).toEqual([null, null]);
});

test("a terminal's Ctrl-C does not reach it: it leads a process group of its own", async () => {
  const server = await start();
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pgid=', '-p', String(server.pid)]);
  expect(Number(stdout)).toBe(server.pid);
});

test('an end that nobody asked for is told, with the signal', async () => {
  const ends: UnexpectedExit[] = [];
  const server = await start({ onExit: (exit) => ends.push(exit) });
  process.kill(server.pid, 'SIGKILL');
  await expect.poll(() => ends).toEqual([{ code: null, signal: 'SIGKILL', lastLines: expect.any(String) }]);
  await server.stop();
  expect(ends).toHaveLength(1);
});

test('a taken port is named together with the variable that moves it', async () => {
  const taker = createServer().listen(await freePort(), '127.0.0.1');
  await once(taker, 'listening');
  cleanUps.push(() => taker.close());
  const { port } = taker.address() as { port: number };
  await expect(start({ port })).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is in use by another program. Set TEMPORAL_PORT to a free port, or to 0 for any; ` +
      'to use a Temporal that runs there already, set TEMPORAL_ADDRESS.',
  );
  await expect(start({ uiPort: port })).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is in use by another program. Set TEMPORAL_UI_PORT to a free port, or to 0 for any.`,
  );
});

test('a server that gives up says why, and its log is kept over the next start', async () => {
  const cliPath = join(dataDir, 'temporal');
  await writeFile(cliPath, '#!/bin/sh\necho "the disk is on fire"\nexit 3\n');
  await chmod(cliPath, 0o755);
  await expect(start({ cliPath })).rejects.toThrow(
    'Temporal ended while it was starting. The end of its log:\nthe disk is on fire',
  );
  await start();
  expect(await readFile(join(dataDir, 'temporal.log.previous'), 'utf8')).toBe('the disk is on fire\n');
  expect((await stat(join(dataDir, 'temporal.log'))).mode & 0o777).toBe(0o600);
});

test('a start that is interrupted leaves nothing running', async () => {
  const interrupt = new AbortController();
  const starting = start({ signal: interrupt.signal });
  await expect.poll(() => exists(join(dataDir, 'temporal.json'))).toBe(true);
  interrupt.abort(new Error('interrupted'));
  await expect(starting).rejects.toThrow('interrupted');
  expect(await ownTemporals()).toEqual([]);
});

test('secrets of our environment do not reach it', async () => {
  process.env['ENCRYPTION_KEY'] = 'not for others';
  cleanUps.push(() => delete process.env['ENCRYPTION_KEY']);
  const cliPath = join(dataDir, 'temporal');
  await writeFile(cliPath, '#!/bin/sh\nenv\nexit 1\n');
  await chmod(cliPath, 0o755);
  const failed = start({ cliPath });
  await expect(failed).rejects.toThrow('PATH=');
  await expect(failed).rejects.not.toThrow('ENCRYPTION_KEY');
});
