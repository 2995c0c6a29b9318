/** The wire of the data plane against a whole server: acknowledgements, repetitions, refusals and broken frames. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { encodeFrame } from '../../src/s2/frames.ts';
import { openEventStream } from '../harness/event-stream.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { appendJson, appendOnce, type Credential, credentialOf, envelope, inputOf, openSession } from './wire.ts';

let site: Site;
let server: TestServer;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site });
});

afterAll(async () => {
  await server?.stop();
  await site?.remove();
});

async function open(externalId: string): Promise<Credential> {
  const { status } = await server.api.create({ externalId, taskIdentifier: 'nobody' });
  if (status !== 201) throw new Error(`create answered ${status}`);
  return credentialOf(server, externalId);
}

async function recordCount(externalId: string, stream = 'out'): Promise<number> {
  const { body } = await server.api.call(`/realtime/v1/sessions/${externalId}/${stream}/records`);
  return body.records.length;
}

describe.concurrent('a session', () => {
  test('acknowledges each frame in order, and ends when its client does', async ({ expect }) => {
    const session = await openSession(await open('wire-order'));
    for (let part = 0; part < 20; part += 1) session.send(inputOf([`${part}`, 'second']));
    for (let part = 0; part < 20; part += 1) {
      expect(await session.next()).toMatchObject({ first: 2 * part, end: 2 * part + 2 });
    }
    session.send(inputOf(['last']));
    session.end();
    expect(await session.next()).toEqual({ first: 40, end: 41, tail: 41 });
    expect(await session.next()).toBeNull();
    session.close();
  });

  test('knows a frame again by the id in it, on another connection; without one it is said twice', async ({
    expect,
  }) => {
    const credential = await open('wire-again');
    const [known, anonymous] = [inputOf([envelope({ a: 1 }, 'abcdefg'), 'x']), inputOf(['tick'])];
    const ranges = [];
    for (let round = 0; round < 2; round += 1) {
      const session = await openSession(credential);
      session.send(known);
      session.send(anonymous);
      ranges.push(await session.next(), await session.next());
      session.close();
    }
    expect(ranges).toMatchObject([{ first: 0, end: 2 }, { first: 2 }, { first: 0, end: 2, tail: 3 }, { first: 3 }]);
    // A single append is never taken for a repetition: two equal control records may both be meant.
    expect([await appendOnce(credential, known), await appendOnce(credential, known)]).toMatchObject([
      { first: 4 },
      { first: 6 },
    ]);
  });

  test('takes gzip frames', async ({ expect }) => {
    const session = await openSession(await open('wire-gzip'));
    session.sendBytes(encodeFrame(gzipSync(inputOf(['packed'])), 0x40));
    expect(await session.next()).toMatchObject({ first: 0, end: 1 });
    session.close();
    expect(await recordCount('wire-gzip')).toBe(1);
  });

  test('that is cut off mid-frame has stored what was whole', async ({ expect }) => {
    const session = await openSession(await open('wire-cut'));
    session.send(inputOf(['whole']));
    expect(await session.next()).toMatchObject({ end: 1 });
    session.sendBytes(encodeFrame(inputOf(['half'])).subarray(0, 7));
    session.close();
    expect(await recordCount('wire-cut')).toBe(1);
  });

  test('over HTTP/2 stands beside appends and tails over HTTP/1.1 on one port', async ({ expect }) => {
    const credential = await open('wire-both');
    const tail = await openEventStream(`${server.url}/realtime/v1/sessions/wire-both/out`, { key: site.devKey });
    const session = await openSession(credential);
    for (let round = 0; round < 10; round += 1) {
      session.send(inputOf([envelope(round, `record${round}`)]));
      expect(await session.next()).toMatchObject({ first: 2 * round });
      const unary = await appendJson(credential, { records: [{ body: '', headers: [['trigger-control', 'x']] }] });
      expect(unary).toMatchObject({ status: 200, body: { start: { seq_num: 2 * round + 1 } } });
    }
    await expect.poll(() => tail.records().map(({ seq_num: seq }) => seq)).toEqual([...Array(20).keys()]);
    expect(new URL(credential.origin).port).toBe(new URL(server.url).port);
    tail.leave();
    session.close();
  });
});

const overlong = Buffer.concat([Buffer.of(0x20, 0, 1), Buffer.alloc(64)]);
const bomb = gzipSync(Buffer.alloc(3 * 1_048_576));

describe.concurrent('a frame that is wrong ends the session in a terminal frame', () => {
  test.for<[string, () => Buffer, number, string | undefined]>([
    ['of no length', () => Buffer.of(0, 0, 0, 0), 400, 'bad_frame'],
    ['longer than the wire allows', () => overlong, 400, 'bad_frame'],
    ['with reserved bits', () => encodeFrame(inputOf(['x']), 0x01), 400, 'bad_frame'],
    ['packed by zstd', () => encodeFrame(inputOf(['x']), 0x20), 400, 'bad_frame'],
    ['that claims to be the last', () => encodeFrame(Buffer.of(0, 200), 0x80), 400, 'bad_frame'],
    ['of damaged gzip', () => encodeFrame(Buffer.from('no gzip'), 0x40), 400, 'bad_frame'],
    ['that unpacks to more than fits', () => encodeFrame(bomb, 0x40), 400, 'bad_frame'],
    ['of no message', () => encodeFrame(Buffer.of(255, 255, 255)), 400, 'bad_proto'],
    ['without a record', () => encodeFrame(Buffer.alloc(0)), 422, 'invalid'],
    ['of too many records', () => encodeFrame(inputOf(Array<string>(1_001).fill(''))), 422, 'invalid'],
    ['of too many bytes', () => encodeFrame(inputOf(['x'.repeat(1_048_569)])), 422, 'invalid'],
    ['with a seq that is not the next', () => encodeFrame(inputOf(['x'], { matchSeqNum: 7n })), 412, undefined],
    ['with a fencing token', () => encodeFrame(inputOf(['x'], { fencingToken: 't' })), 412, undefined],
    ['with a command that is none', () => encodeFrame(inputOf([commandOf('fence')])), 422, 'invalid'],
  ])('%s', async ([name, bytes, status, code], { expect }) => {
    const session = await openSession(await open(`wire-bad ${name}`));
    session.send(inputOf(['before']));
    session.sendBytes(bytes());
    session.send(inputOf(['after']));
    expect(await session.next()).toMatchObject({ first: 0 });
    expect(await session.next()).toMatchObject({ status, body: code === undefined ? {} : { code } });
    expect(await session.next()).toBeNull();
    session.close();
    expect(await recordCount(encodeURIComponent(`wire-bad ${name}`))).toBe(1);
  });
});

const commandOf = (name: string) => ({
  headers: [{ name: Buffer.alloc(0), value: Buffer.from(name) }],
  body: Buffer.alloc(8),
});

describe.concurrent('a credential', () => {
  test('opens its own stream and no other', async ({ expect }) => {
    const [own, other] = [await open('wire-own'), await open('wire-other')];
    const prod = await server.api.create({ externalId: 'wire-own', taskIdentifier: 'nobody' }, { key: site.prodKey });
    expect(prod.status).toBe(201);
    const ofProd = await credentialOf(server, 'wire-own', { key: site.prodKey });
    const bearers: [string, Record<string, string>][] = [
      ['of another stream', other.headers],
      ['of another environment', ofProd.headers],
      ['of another basin', { ...own.headers, 's2-basin': 'another-basin' }],
      ['altered', { ...own.headers, authorization: `${own.headers['authorization']}x` }],
      ['a secret key', { ...own.headers, authorization: `Bearer ${site.devKey}` }],
      ['none', {}],
    ];
    for (const [name, headers] of bearers) {
      const refused = await appendOnce({ ...own, headers }, inputOf(['x']));
      expect({ name, ...refused }).toMatchObject({ name, status: 403, body: { code: 'permission_denied' } });
      await expect(openSession({ ...own, headers })).rejects.toThrow('answered 403');
    }
    const token = own.headers['authorization']?.slice('Bearer '.length) ?? '';
    expect(await server.api.call('/api/v1/sessions', { key: token })).toMatchObject({ status: 401 });
    expect(await appendOnce(own, inputOf(['x']))).toMatchObject({ first: 0 });
  });

  test('of a session that does not exist yet opens it once it does', async ({ expect }) => {
    const early = await credentialOf(server, 'wire-early ü/');
    expect(await appendOnce(early, inputOf(['x']))).toMatchObject({ status: 404, body: { code: 'stream_not_found' } });
    await open('wire-early ü/');
    expect(await appendOnce(early, inputOf(['x']))).toMatchObject({ first: 0 });
  });

  test('of `in` appends as HTTP does, and does not trim', async ({ expect }) => {
    await open('wire-in');
    const credential = await credentialOf(server, 'wire-in', { stream: 'in' });
    const marked = envelope('{"payload":{"actionSource":"webhook","a":1}}', 'abcdefg');
    expect(await appendOnce(credential, inputOf([marked]))).toMatchObject({ first: 0 });
    expect(await appendOnce(credential, inputOf([commandOf('trim')]))).toMatchObject({ status: 403 });
    const { body } = await server.api.call('/realtime/v1/sessions/wire-in/in/records');
    expect(body.records).toEqual([{ seqNum: 0, id: 'abcdefg', data: '{"payload":{"a":1}}' }]);
  });

  test('is refused once its session is closed, and none is made any more', async ({ expect }) => {
    const credential = await open('wire-closed');
    const session = await openSession(credential);
    await server.api.call('/api/v1/sessions/wire-closed/close', { method: 'POST', body: {} });
    session.send(inputOf(['x']));
    expect(await session.next()).toMatchObject({ status: 403, body: { message: 'The session is closed' } });
    session.close();
    await expect(credentialOf(server, 'wire-closed')).rejects.toThrow(
      'PUT answered 400: Cannot initialize a channel on a closed session',
    );
  });
});

describe.concurrent('an append in one request', () => {
  test('answers where it went, and says what is wrong with it', async ({ expect }) => {
    const credential = await open('wire-unary');
    const records = [{ body: 'YQ==', headers: [['aw==', 'dg==']] }];
    const answer = await appendJson(credential, { records }, { 's2-format': 'base64' });
    const at = (seq: number) => ({ seq_num: seq, timestamp: expect.any(Number) });
    expect(answer).toEqual({ status: 200, body: { start: at(0), end: at(1), tail: at(1) } });
    const bad: [unknown, number, string | undefined, Record<string, string>?][] = [
      ['{"records":', 400, 'bad_json'],
      [{ records: 7 }, 400, 'bad_json'],
      [{ records: [] }, 422, 'invalid'],
      [{ records: [{ body: '' }], match_seq_num: 9 }, 412, undefined],
      [{ records: [{ body: '' }] }, 400, 'bad_header', { 's2-format': 'hex' }],
      [{ records: [{ body: '' }] }, 400, 'bad_header', { 'content-encoding': 'gzip' }],
      ['x'.repeat(9 * 1_048_576), 413, 'request_too_large'],
    ];
    for (const [input, status, code, headers] of bad) {
      expect(await appendJson(credential, input, headers)).toMatchObject({ status, body: code ? { code } : {} });
    }
    expect(await appendJson(credential, { records: [{ body: '' }], match_seq_num: 1 })).toMatchObject({ status: 200 });
    const { status } = await fetch(`${credential.origin}/s2/v1/streams/x/records/tail`);
    expect(status).toBe(404);
  });
});
