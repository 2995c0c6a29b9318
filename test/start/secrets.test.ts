/**
 * Nothing secret lies about: a whole story is told with real processes, then every log line, Temporal history, memo and
 * search attribute, row and URL of it is searched for every secret that it used.
 */

import type { Client } from '@temporalio/client';
import { auth, configure, sessions } from '@trigger.dev/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { startWitnessProxy, type WitnessProxy } from '../client/witness-proxy.ts';
import { type Api, apiOf } from '../harness/api.ts';
import { openEventStream } from '../harness/event-stream.ts';
import { keysOf } from '../harness/keys.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment } from '../harness/server.ts';
import { connectTo, type TestTemporal } from '../harness/temporal.ts';
import { until } from '../workflows/wait.ts';

let site: Site;
let server: PerdureProcess;
let tasks: PerdureProcess;
let temporal: TestTemporal;
let database: Database;
let proxy: WitnessProxy;
let api: Api;
/** By what each is. */
const secrets = new Map<string, string>();
/** Stands in the place of a secret: what is not found anywhere would prove nothing. */
const marker = 'chat-of-the-story';
const places = new Map<string, string>();

beforeAll(async () => {
  site = await openSite();
  const loud = { LOG_LEVEL: 'trace' };
  server = await startProcess({ command: ['api'], environment: { ...siteEnvironment(site), ...loud } });
  tasks = await startProcess({
    command: ['tasks', 'examples/demo-task.ts'],
    environment: {
      TRIGGER_SECRET_KEY: site.devKey,
      TRIGGER_API_URL: server.url,
      TEMPORAL_ADDRESS: site.temporalAddress,
      TEMPORAL_NAMESPACE: site.namespace,
      ...loud,
    },
  });
  temporal = await connectTo(site.temporalAddress, site.namespace);
  database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
  proxy = await startWitnessProxy(server.url);
  api = apiOf(proxy.url, site.devKey);
  await tellStory();
  places.set('histories', await historiesOf(temporal.client));
  places.set('rows', await rowsOf(database));
  places.set(
    'URLs',
    proxy
      .seen('')
      .map(({ path }) => path)
      .join('\n'),
  );
  await Promise.all([tasks.stop(), server.stop()]);
  places.set('log of the server', server.lines.join('\n'));
  places.set('log of the task worker', tasks.lines.join('\n'));
});

afterAll(async () => {
  await Promise.all([tasks?.stop(), server?.stop()]);
  await proxy?.close();
  await temporal?.close();
  await database?.close();
  await site?.remove();
});

function keep<Text extends string>(name: string, secret: Text): Text {
  secrets.set(name, secret);
  return secret;
}

async function tellStory(): Promise<void> {
  for (const [name, secret] of Object.entries({ devKey: site.devKey, prodKey: site.prodKey })) keep(name, secret);
  keep('encryption key', site.encryptionKey);
  configure({ baseURL: proxy.url, accessToken: site.devKey });
  const session = await sessions.start({
    type: 'chat.agent',
    externalId: marker,
    taskIdentifier: 'my-chat',
    triggerConfig: { basePayload: { chatId: marker } },
  });
  const token = keep('token of a create', session.publicAccessToken);
  await api.runWhen(session.runId, (run) => run.isExecuting || run.isCompleted);
  keep('token that a client signs', await auth.createPublicToken({ scopes: { read: { sessions: marker } } }));
  await append(marker, token);
  const tail = await openEventStream(`${server.url}/realtime/v1/sessions/${marker}/in`, { key: token });
  await until(async () => tail.records().length > 0, 'the record is read');
  tail.leave();
  await useKeys(session.id);
  await useAttempt();
  await misuse();
  await api.call(`/api/v1/sessions/${marker}/close`, { method: 'POST', body: { reason: 'told' } });
}

const append = (key: string, credential: string) =>
  api.call(`/realtime/v1/sessions/${key}/in/append`, { method: 'POST', key: credential, body: '{"said":1}' });

async function useKeys(sessionId: string): Promise<void> {
  const keys = keysOf(site, database);
  const made = await keys.additional('read:sessions', 'write:sessions');
  keep('additional key', made.key);
  await until(async () => (await api.session(sessionId, { key: made.key })).status === 200, 'the key is known');
  const body = { scopes: [`write:sessions:${marker}`], oneTimeUse: true };
  const ordered = await api.call('/api/v1/auth/public-tokens', { method: 'POST', key: made.key, body });
  const once = keep('token for one use', ordered.body.token as string);
  expect((await append(marker, once)).status).toBe(200);
  expect((await append(marker, once)).status).toBe(401);
  keep('successor of a root key', (await keys.rotate(await keys.idOf(site.prodKey), 3_600)).key);
  keep('successor of an additional key', (await keys.rotate(made.id, 0)).key);
}

/** A run of a task that nobody serves, claimed by hand; and the address of its snapshot, which opens it by itself. */
async function useAttempt(): Promise<void> {
  const { body } = await api.create({ externalId: 'unserved', taskIdentifier: 'unserved' });
  keep('token of another create', body.publicAccessToken);
  const claim = await api.call(`/api/v1/runs/${body.runId}/claim`, { method: 'POST', body: { attempt: 1 } });
  const attemptKey = keep('key of an attempt', claim.body.attemptKey as string);
  const call = { method: 'PUT', key: attemptKey };
  const { body: snapshot } = await api.call('/api/v1/sessions/unserved/snapshot-url', call);
  const url = new URL(snapshot.presignedUrl);
  for (const [name, value] of url.searchParams) if (value.length > 30) keep(`${name} of a snapshot's address`, value);
  expect((await fetch(url, { method: 'PUT', body: '{"saved":1}' })).status).toBeLessThan(300);
}

/** What clients get wrong: a key in the query, an unknown key, a key where an id belongs. */
async function misuse(): Promise<void> {
  const key = keep('key of nobody', 'tr_dev_of0nobody0at0all000000');
  expect((await api.session(marker, { key })).status).toBe(401);
  await fetch(`${server.url}/api/v1/sessions?access_token=${site.devKey}`);
  await fetch(`${server.url}/api/v1/sessions/${site.devKey}`, { headers: { Authorization: `Bearer ${key}` } });
  await fetch(`${server.url}/api/v1/sessions`, { headers: { Authorization: `Basic ${key}` } });
}

/** Everything that Temporal holds of every workflow, payloads as the text that they are. */
async function historiesOf(client: Client): Promise<string> {
  const texts: string[] = [];
  for await (const workflow of client.workflow.list()) {
    const handle = client.workflow.getHandle(workflow.workflowId, workflow.runId);
    const described = await handle.describe();
    texts.push(plain(await handle.fetchHistory()), plain(described.raw), plain(described.memo ?? {}));
    texts.push(plain(described.typedSearchAttributes.getAll()));
  }
  return texts.join('\n');
}

/** Events turn their payloads into base64 as they become JSON. */
const plain = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/"data":"([\w+/=]+)"/g, (_, data: string) =>
    Buffer.from(data, 'base64').toString('utf8'),
  );

/** Every row of every table, bytes as text and in hexadecimal. */
async function rowsOf(rows: Database): Promise<string> {
  const tables = await rows.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const found = await rows.query<{ text: string }>(`SELECT row_to_json(t)::text AS text FROM ${name} AS t`);
    texts.push(...found.map(({ text }) => `${name} ${text}`));
  }
  const decoded = texts.map((text) =>
    text.replaceAll(/\\\\x([0-9a-f]+)/g, (_, hex: string) => Buffer.from(hex, 'hex').toString('utf8')),
  );
  return [...texts, ...decoded].join('\n');
}

/** A signature alone is as good as its token; a key may be written in hexadecimal. */
function formsOf(secret: string): readonly string[] {
  const signature = secret.startsWith('eyJ') ? [secret.slice(secret.lastIndexOf('.') + 1)] : [];
  return [secret, ...signature, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64url')];
}

describe.each(['histories', 'rows', 'URLs', 'log of the server', 'log of the task worker'])('%s', (place) => {
  test('hold none of the secrets', () => {
    const text = places.get(place) ?? '';
    const found = [...secrets].filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)));
    expect(found.map(([name]) => name)).toEqual([]);
  });

  test('are all there: they name the session', async () => {
    const [row] = await database.query<{ id: string }>('SELECT id FROM sessions WHERE external_id = $1', [marker]);
    const text = places.get(place) ?? '';
    expect(text.includes(marker) || text.includes(row?.id ?? marker)).toBe(true);
  });
});

test('what is encoded there was read', () => {
  expect(places.get('histories')?.includes('basePayload')).toBe(true);
  expect(/records .*said/.test(places.get('rows') ?? '')).toBe(true);
});

test('the story used every kind of secret there is', () => {
  expect([...secrets.keys()]).toHaveLength(new Set(secrets.values()).size);
  expect(secrets.size).toBeGreaterThanOrEqual(12);
  for (const secret of secrets.values()) expect(secret.length).toBeGreaterThan(24);
});

test('root keys are there, sealed; additional keys and used tokens by their digests alone', async () => {
  const rows = await database.query<{ scopes: unknown; sealed: Uint8Array | null }>(
    'SELECT scopes, sealed FROM api_keys',
  );
  expect(
    rows.filter(({ scopes }) => scopes === null).every(({ sealed }) => sealed !== null && sealed.length > 29),
  ).toBe(true);
  expect(rows.filter(({ scopes }) => scopes !== null).map(({ sealed }) => sealed)).toEqual([null, null]);
  expect(await database.query('SELECT digest FROM used_tokens')).toHaveLength(1);
});
