import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openServerLog } from '../../src/temporal/server-log.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perdure-log-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test('a child that never stops writing cannot grow it beyond its bound for long', async () => {
  const path = join(folder, 'temporal.log');
  const log = await openServerLog(path, { bytesMax: 50_000, checkIntervalMs: 20 });
  const child = spawn('/bin/sh', ['-c', 'while :; do echo 0123456789abcdef; done'], {
    stdio: ['ignore', log.fd, log.fd],
  });
  const sizes: number[] = [];
  const shrank = async () => {
    sizes.push((await stat(path)).size);
    return sizes.filter((size, index) => size < (sizes[index - 1] ?? 0)).length;
  };
  await expect.poll(shrank, { interval: 5, timeout: 20_000 }).toBeGreaterThan(2);
  child.kill('SIGKILL');
  // Its writes go on from the new start: no hole of zeros before them.
  await expect.poll(() => log.tail(1)).toMatch(/^0123456789abcdef$|^$/);
  expect((await readFile(path)).includes(0)).toBe(false);
  await log.close();
});

test('its tail is the last lines, and the log before it is kept', async () => {
  const path = join(folder, 'temporal.log');
  await writeFile(path, 'the run before\n');
  const log = await openServerLog(path);
  expect(await log.tail(3)).toBe('');
  await writeFile(path, Array.from({ length: 5_000 }, (_, index) => `line ${index}`).join('\n'));
  expect(await log.tail(3)).toBe('line 4997\nline 4998\nline 4999');
  await log.close();
  expect(await readFile(`${path}.previous`, 'utf8')).toBe('the run before\n');
});
