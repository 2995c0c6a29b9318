/** A deadline holds whatever the collector takes away meanwhile. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inTime, withinDeadline } from '../src/deadline.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const never = new Promise<never>(() => {});
const late = { name: 'TimeoutError' };

describe('work within a deadline', () => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  let url = '';
  let collecting: NodeJS.Timeout;
  beforeAll(async () => {
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    collecting = setInterval(collect, 20);
  });
  afterAll(() => {
    clearInterval(collecting);
    silent.close();
  });

  test('that takes no notice of the signal is broken off', async () => {
    await expect(withinDeadline({ ms: 100 }, () => never)).rejects.toMatchObject(late);
  });

  test('that waits for a server which says nothing is broken off, and its connection ends', async () => {
    let hasEnded = false;
    silent.once('connection', (socket) => socket.once('close', () => (hasEnded = true)));
    await expect(withinDeadline({ ms: 200 }, (signal) => fetch(url, { signal }))).rejects.toMatchObject(late);
    await expect.poll(() => hasEnded).toBe(true);
  });

  test('that hands its signal to somebody who forgets it is broken off', async () => {
    const work = async (signal: AbortSignal) => fetch(new Request(url, { signal }));
    await expect(withinDeadline({ ms: 200 }, work)).rejects.toMatchObject(late);
  });

  test('is broken off by the signal of its caller, with that reason', async () => {
    const caller = new AbortController();
    const working = withinDeadline({ ms: 60_000, signal: caller.signal }, () => never);
    caller.abort(new Error('gone'));
    await expect(working).rejects.toThrow('gone');
    await expect(withinDeadline({ ms: 60_000, signal: caller.signal }, () => never)).rejects.toThrow('gone');
  });

  test('that ends in time leaves no timer and no listener', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await expect(withinDeadline({ ms: 60_000 }, async () => 1)).resolves.toBe(1);
    await expect(withinDeadline({ ms: 60_000 }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(timers()).toBe(before);
  });
});

describe('work that cannot be broken off', () => {
  const overdue = () => new Error('overdue');

  test('is left at the deadline, and what it throws later is nobody’s', async () => {
    let fail = (_fault: Error): void => {};
    const work = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    await expect(inTime(work, 50, overdue)).rejects.toThrow('overdue');
    // A rejection that nobody handles would fail this file.
    fail(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  test('answers in time, or fails as it does', async () => {
    await expect(inTime(Promise.resolve(1), 1_000, overdue)).resolves.toBe(1);
    await expect(inTime(Promise.reject(new Error('its own')), 1_000, overdue)).rejects.toThrow('its own');
  });

  test('whose time is over already is given none', async () => {
    await expect(inTime(never, -1, overdue)).rejects.toThrow('overdue');
  });
});
