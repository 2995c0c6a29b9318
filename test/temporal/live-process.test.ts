import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { identifyProcess, isAlive, psStartOf, readIdentity } from '../../src/live-process.ts';

test('a live process is recognised by what was written down of it, and not after its end', async () => {
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  const identity = await identifyProcess(child.pid ?? 0);
  const written = readIdentity(JSON.stringify(identity));
  expect(written).toEqual(identity);
  if (written === null) throw new Error('nothing was written down');
  expect(await isAlive(written)).toBe(true);
  expect(await isAlive({ ...written, startedAt: 'another time' })).toBe(false);
  expect(await isAlive({ ...written, place: { ...written.place, pidNamespace: 'another container' } })).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await isAlive(written)).toBe(false);
});

test('ps tells the start of a live process, and nothing of a zombie or of nobody', async () => {
  const parent = spawn('/bin/sh', ['-c', 'sleep 300 & echo $!; exec sleep 300'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  const startedAt = await psStartOf(pid);
  expect(startedAt).toMatch(/^\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}$/);
  expect(await psStartOf(pid)).toBe(startedAt);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => psStartOf(pid)).toBeNull();
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await expect.poll(() => psStartOf(pid)).toBeNull();
});

test('text that names no process is not taken for one', () => {
  for (const text of ['', 'null', '{}', '{"pid":1}', '{"released":true}', '{"pid":"1","startedAt":"1","place":{}}']) {
    expect(readIdentity(text)).toBeNull();
  }
});
