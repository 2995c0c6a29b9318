/** Starts that cannot be: the reason is one plain sentence each, and nothing is left behind. */

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { makeMigratedFolder } from '../harness/pglite.ts';
import { spawnProcess } from '../harness/processes.ts';
import { temporalCliPath } from '../harness/temporal.ts';
import { temporalServersOn } from './process-tree.ts';

let folder: string;
const taken = createServer();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perdure-refused-'));
  await once(taken.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  taken.close();
  await rm(folder, { recursive: true, force: true });
});

const takenPort = (): string => String((taken.address() as AddressInfo).port);

async function refusalOf(environment: Record<string, string>, command = 'start') {
  const refused = spawnProcess({ command: [command], environment: { DATA_DIR: folder, ...environment } });
  const exit = await refused.exited;
  return { code: exit.code, lines: refused.lines };
}

test('every bad setting is told at once', async () => {
  const { code, lines } = await refusalOf({
    PORT: 'abc',
    DATABASE_URL: 'foo',
    LOG_LEVEL: 'loud',
    SECRET_KEYS: 'tr_dev_x',
  });
  expect(code).toBe(2);
  expect(lines[0]).toBe('perdure cannot start with these settings:');
  expect(lines.slice(1).map((line) => /^ {2}(\w+)/.exec(line)?.[1])).toEqual([
    'PORT',
    'DATABASE_URL',
    'SECRET_KEYS',
    'LOG_LEVEL',
  ]);
});

test('a shared database without the key that seals it is refused', async () => {
  const { code, lines } = await refusalOf({ DATABASE_URL: 'postgresql://localhost/x' }, 'api');
  expect(code).toBe(2);
  expect(lines.join('\n')).toMatch(/ENCRYPTION_KEY: required with DATABASE_URL/);
});

test.each(['PORT', 'TEMPORAL_PORT'])(
  '%s is taken: one sentence, and no Temporal stays',
  async (variable) => {
    await makeMigratedFolder(join(folder, 'postgres'));
    const temporalPort = String(await freePort());
    const { code, lines } = await refusalOf({
      PORT: '0',
      TEMPORAL_PORT: temporalPort,
      TEMPORAL_UI_PORT: '0',
      TEMPORAL_CLI_PATH: temporalCliPath(),
      [variable]: takenPort(),
    });
    expect(code).toBe(1);
    const plain = lines.filter((line) => !line.startsWith('{'));
    expect(plain).toEqual([
      expect.stringMatching(new RegExp(`^perdure: Port ${takenPort()} (of|on) 127\\.0\\.0\\.1 is `)),
    ]);
    expect(existsSync(join(folder, 'temporal.json'))).toBe(false);
    expect(temporalServersOn(temporalPort)).toEqual([]);
  },
  120_000,
);
