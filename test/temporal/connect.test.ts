import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Unavailable } from '../../src/domain/failure.ts';
import { type ConnectTarget, callTemporal, connectTemporal, pingTemporal } from '../../src/temporal/connect.ts';
import { freePort } from '../harness/free-port.ts';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { connectTo, openTemporal, startPrivateTemporal, type TestTemporal } from '../harness/temporal.ts';

let server: PrivateTemporal;
let temporal: TestTemporal;

beforeAll(async () => {
  server = await startPrivateTemporal();
  temporal = await connectTo(server.address);
});

afterAll(async () => {
  await temporal.close();
  await server.stop();
});

const target = (changes: Partial<ConnectTarget>): ConnectTarget => ({
  address: server.address,
  namespace: 'default',
  apiKey: null,
  tls: false,
  tlsCertFile: null,
  tlsKeyFile: null,
  ...changes,
});

async function elapsedMs(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work.catch(() => undefined);
  return performance.now() - startedAt;
}

test('the client works in its own namespace over the connection', async () => {
  const shared = await openTemporal();
  const elsewhere = await connectTo(shared.address, 'default');
  await shared.client.workflow.start('any', { workflowId: 'only-here', taskQueue: 'nobody' });
  expect((await shared.client.workflow.getHandle('only-here').describe()).status.name).toBe('RUNNING');
  await expect(elsewhere.client.workflow.getHandle('only-here').describe()).rejects.toBeInstanceOf(
    WorkflowNotFoundError,
  );
  await Promise.all([shared.close(), elsewhere.close()]);
});

test('a ping fails within its deadline while Temporal hangs or is gone, and succeeds again after', async () => {
  await pingTemporal(temporal.connection);
  await server.pause();
  const hanging = pingTemporal(temporal.connection);
  await expect(hanging).rejects.toBeInstanceOf(Unavailable);
  server.resume();
  await pingTemporal(temporal.connection);
  await server.kill();
  const gone = pingTemporal(temporal.connection);
  expect(await elapsedMs(gone)).toBeLessThan(2_500);
  await expect(gone).rejects.toBeInstanceOf(Unavailable);
  await server.restart();
  await expect.poll(() => pingTemporal(temporal.connection).then(() => true), { timeout: 15_000 }).toBe(true);
});

test('a call that is late is unavailable, whatever becomes of it', async () => {
  const never = callTemporal(temporal.connection, 50, () => new Promise(() => undefined));
  await expect(never).rejects.toBeInstanceOf(Unavailable);
  const refused = callTemporal(temporal.connection, 5_000, () => Promise.reject(new Error('refused')));
  await expect(refused).rejects.toThrow('refused');
});

test('over a connection that stays, a restarted server remembers and a wiped one does not', async () => {
  const { client } = temporal;
  const restarted = await client.workflow.start('any', { workflowId: 'kept', taskQueue: 'nobody' });
  await server.kill();
  await server.restart();
  await expect.poll(() => restarted.describe().then(({ status }) => status.name), { timeout: 15_000 }).toBe('RUNNING');
  await server.wipe();
  const isForgotten = () => restarted.describe().catch((thrown: unknown) => thrown instanceof WorkflowNotFoundError);
  await expect.poll(isForgotten, { timeout: 15_000 }).toBe(true);
});

test('connecting waits for a server that comes up', async () => {
  await server.kill();
  const connecting = connectTemporal(target({}), { log: () => undefined, deadlineMs: 20_000 });
  await server.restart();
  const { connection } = await connecting;
  await pingTemporal(connection);
  await connection.close();
});

test('connecting gives up at its deadline, with the reason', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const connecting = connectTemporal(target({ address }), { log: () => undefined, deadlineMs: 500 });
  expect(await elapsedMs(connecting)).toBeLessThan(2_000);
  await expect(connecting).rejects.toThrow(`Temporal at ${address} cannot be reached: Connection refused`);
});

test('connecting gives up at its deadline also on a server that accepts and says nothing', async () => {
  await server.pause();
  const connecting = connectTemporal(target({}), { log: () => undefined, deadlineMs: 700 });
  expect(await elapsedMs(connecting)).toBeLessThan(2_000);
  await expect(connecting).rejects.toThrow(`Temporal at ${server.address} cannot be reached: no answer within`);
  server.resume();
});

test('an interrupted connect ends at once', async () => {
  const interrupt = new AbortController();
  const options = { log: () => undefined, deadlineMs: 30_000, signal: interrupt.signal };
  const connecting = connectTemporal(target({ address: `127.0.0.1:${await freePort()}` }), options);
  interrupt.abort();
  expect(await elapsedMs(connecting)).toBeLessThan(2_000);
  await expect(connecting).rejects.toThrow(/abort/i);
});

test('a certificate that cannot be read is named by its variable', async () => {
  const files = { tlsCertFile: '/nowhere/client.pem', tlsKeyFile: '/nowhere/client.key' };
  await expect(connectTemporal(target(files), { log: () => undefined })).rejects.toThrow(
    'TEMPORAL_TLS_CERT_FILE: /nowhere/client.pem cannot be read.',
  );
});

test('an API key never travels in clear: a server without TLS is refused', async () => {
  const connecting = connectTemporal(target({ apiKey: 'secret' }), { log: () => undefined, deadlineMs: 500 });
  await expect(connecting).rejects.toThrow(`Temporal at ${server.address} cannot be reached`);
});
