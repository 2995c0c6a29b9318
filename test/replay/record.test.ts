/**
 * Drives a session into every shape on the real engines and replays the history it left. With `RECORD=v1` the
 * histories are kept: those that the version does not have yet are written, none is rewritten.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PrivateTemporal } from '../harness/private-temporal.ts';
import { openStage, type Stage } from '../workflows/stage.ts';
import { startSuggestingTemporal } from '../workflows/suggesting-temporal.ts';
import type { Execution } from '../workflows/wait.ts';
import { asRecorded, fetchHistory, writeHistory } from './histories.ts';
import { outlineOf } from './outline.ts';
import { replay } from './replay.ts';
import { recoveryShapes, shapes } from './shapes.ts';

const version = process.env['RECORD'];

async function keep(stage: Stage, execution: Execution, { shape, shows }: { shape: string; shows: readonly string[] }) {
  const history = asRecorded(await fetchHistory(stage.client, execution));
  expect(outlineOf(history)).toEqual(expect.arrayContaining([...shows]));
  expect(await replay([{ version: 'fresh', shape, history }])).toEqual([]);
  if (version !== undefined) writeHistory({ version, shape, history });
}

describe.concurrent('a session on the shared Temporal', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });

  afterAll(async () => {
    await stage?.stop();
  });

  test.each(Object.entries(shapes))('%s', async (shape, { shows, drive }) => {
    await keep(stage, await drive(stage), { shape, shows });
  });
});

describe('a session on a Temporal of its own', () => {
  let temporal: PrivateTemporal;
  let stage: Stage;

  beforeAll(async () => {
    temporal = await startSuggestingTemporal();
    stage = await openStage(temporal.address);
  });

  afterAll(async () => {
    await stage?.stop();
    await temporal?.stop();
  });

  test.each(Object.entries(recoveryShapes))('%s', async (shape, { shows, drive }) => {
    await keep(stage, await drive(stage, temporal), { shape, shows });
  });
});
