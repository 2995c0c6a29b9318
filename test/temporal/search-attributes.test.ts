import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionIdOf } from '../../src/domain/ids.ts';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.ts';
import { type AttributedSession, sessionSearchAttributes, statusOf } from '../../workflows/search-attributes.ts';
import { connectTo, openTemporal, type TestTemporal } from '../harness/temporal.ts';

let temporal: TestTemporal;

beforeAll(async () => {
  temporal = await openTemporal();
});

afterAll(() => temporal.close());

const session = (changes: Partial<AttributedSession> = {}): AttributedSession => ({
  id: sessionIdOf('a'.repeat(25)),
  externalId: 'chat 1',
  type: 'chat',
  taskIdentifier: 'my-chat',
  tags: ['vip', 'eu'],
  environment: 'dev',
  ...changes,
});

const valuesOf = (attributed: AttributedSession) =>
  Object.fromEntries(sessionSearchAttributes(attributed).map(({ key, value }) => [key.name, value]));

test('a session is searched by its own values; what it does not have is left out', () => {
  expect(valuesOf(session())).toEqual({
    SessionId: `session_${'a'.repeat(25)}`,
    SessionExternalId: 'chat 1',
    SessionType: 'chat',
    SessionTask: 'my-chat',
    SessionTags: ['vip', 'eu'],
    SessionStatus: 'ACTIVE',
    SessionEnvironment: 'dev',
  });
  const bare = valuesOf(session({ externalId: null, tags: [] }));
  expect(Object.keys(bare)).not.toContain('SessionExternalId');
  expect(Object.keys(bare)).not.toContain('SessionTags');
  expect([statusOf('closed'), statusOf('expired')]).toEqual(['CLOSED', 'EXPIRED']);
});

test('a keyword is cut to 255 characters, and never inside a surrogate pair', () => {
  expect(valuesOf(session({ externalId: 'x'.repeat(256) }))['SessionExternalId']).toBe('x'.repeat(255));
  expect(valuesOf(session({ externalId: '😀'.repeat(128) }))['SessionExternalId']).toBe('😀'.repeat(127));
  expect(valuesOf(session({ externalId: 'a\u0000b' }))['SessionExternalId']).toBe('a\ufffdb');
});

test('tags are kept from the first on while their JSON stays below 1,800 bytes', () => {
  const wide = Array.from({ length: 10 }, (_, index) => `${index}${'日'.repeat(127)}`);
  const kept = valuesOf(session({ tags: wide }))['SessionTags'] as string[];
  expect(kept).toEqual(wide.slice(0, 4));
  const quoted = Array.from({ length: 10 }, () => '"'.repeat(128));
  const keptQuoted = valuesOf(session({ tags: quoted }))['SessionTags'] as string[];
  expect(Buffer.byteLength(JSON.stringify(keptQuoted))).toBeLessThan(1_800);
  expect(keptQuoted.length).toBe(6);
});

test('the server takes the longest values there can be, and finds the session by each', async () => {
  const longest = session({
    externalId: '日'.repeat(256),
    type: 'ü'.repeat(64),
    taskIdentifier: '日'.repeat(128),
    tags: Array.from({ length: 10 }, (_, index) => `${index}${'日'.repeat(127)}`),
  });
  await temporal.client.workflow.start('any', {
    workflowId: 'longest',
    taskQueue: 'nobody',
    typedSearchAttributes: sessionSearchAttributes(longest),
  });
  const queries = [
    `SessionExternalId = '${'日'.repeat(255)}'`,
    `SessionTags = '3${'日'.repeat(127)}'`,
    `SessionTask = '${'日'.repeat(128)}' AND SessionStatus = 'ACTIVE' AND SessionEnvironment = 'dev'`,
  ];
  for (const query of queries) {
    const count = async () => (await temporal.client.workflow.count(query)).count;
    await expect.poll(count, { timeout: 10_000 }).toBe(1);
  }
});

test('a namespace that lacks them gets them, and can be searched at once', async () => {
  const namespace = `fresh-${process.pid}`;
  await temporal.connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 },
  } as never);
  await expect.poll(() => ensureSearchAttributes(temporal.connection, namespace).then(() => true)).toBe(true);
  const fresh = await connectTo(temporal.address, namespace);
  expect((await fresh.client.workflow.count("SessionTags = 'a' AND SessionId = 'b'")).count).toBe(0);
  await fresh.close();
  await ensureSearchAttributes(temporal.connection, namespace);
});

test('a namespace that does not exist is named', async () => {
  await expect(ensureSearchAttributes(temporal.connection, 'nowhere')).rejects.toThrow(
    'Temporal has no namespace nowhere. Create it there, or set TEMPORAL_NAMESPACE to one that exists.',
  );
});

test('an attribute of another type is named', async () => {
  const namespace = `clash-${process.pid}`;
  await temporal.connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 },
  } as never);
  const textType = 1;
  await expect
    .poll(() =>
      temporal.connection.operatorService
        .addSearchAttributes({ namespace, searchAttributes: { SessionTask: textType } })
        .then(() => true),
    )
    .toBe(true);
  await expect(ensureSearchAttributes(temporal.connection, namespace)).rejects.toThrow(
    `The Temporal namespace ${namespace} has a search attribute SessionTask of another type; Perdure needs it as Keyword.`,
  );
});

/** Speaks just enough gRPC to be connected to; every call of the operator service is refused, as in the cloud. */
async function startForbiddingServer(searchable: boolean): Promise<Http2Server> {
  const refuse = { 7: 'forbidden', 3: 'unknown attribute' } as const;
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const path = headers[':path'] ?? '';
    const known = searchable || path.endsWith('/GetSystemInfo');
    const status = path.includes('OperatorService') ? 7 : known ? 0 : 3;
    const base = { ':status': 200, 'content-type': 'application/grpc' };
    if (status !== 0) {
      stream.respond({ ...base, 'grpc-status': String(status), 'grpc-message': refuse[status] }, { endStream: true });
      return;
    }
    stream.respond(base, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    // One empty message: not compressed, no bytes.
    stream.end(Buffer.alloc(5));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test.for([
  ['lacks', false],
  ['has', true],
] as const)('where adding is forbidden, a namespace that %s them decides', async ([, searchable]) => {
  const server = await startForbiddingServer(searchable);
  const guarded = await connectTo(`127.0.0.1:${(server.address() as AddressInfo).port}`, 'team.a1b2c');
  const ensured = ensureSearchAttributes(guarded.connection, 'team.a1b2c');
  if (searchable) await ensured;
  else {
    await expect(ensured).rejects.toThrow(
      'The Temporal server does not let Perdure add search attributes to the namespace team.a1b2c. ' +
        'Create these there and start again: SessionId (Keyword), SessionExternalId (Keyword), SessionType (Keyword), ' +
        'SessionTask (Keyword), SessionTags (KeywordList), SessionStatus (Keyword), SessionEnvironment (Keyword).',
    );
  }
  await guarded.close();
  server.close();
});
