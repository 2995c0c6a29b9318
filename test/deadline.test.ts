/** A deadline holds whatever the collector takes away meanwhile. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withinDeadline } from '../src/deadline.ts';

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
