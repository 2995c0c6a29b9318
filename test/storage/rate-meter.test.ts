/** Counts in a process and in the database: exact, shared where they are said to be, and there when it is not. */
import { beforeEach, expect, test, vi } from 'vitest';
import { rateMeter } from '../../src/storage/rate-meter.ts';
import { describeEachDatabase } from '../harness/databases.ts';

const hour = { max: 3, windowSeconds: 3_600 };

describeEachDatabase('a rate meter', (suite) => {
  let name = '';
  let runs = 0;
  beforeEach(() => {
    runs += 1;
    name = `meter${runs}`;
  });
  const shared = () => rateMeter({ ...hour, name, database: suite.database });
  const alone = () => rateMeter({ ...hour, name, database: null });

  test.each([
    ['in the database', shared],
    ['in the process', alone],
  ])('%s lets exactly so many through, and says how many are left and until when', async (_, make) => {
    const meter = make();
    const before = Date.now();
    expect(await meter.look('a')).toBeNull();
    for (const left of [2, 1, 0]) {
      const reading = await meter.take('a');
      expect(reading).toMatchObject({ max: 3, left, isOver: false });
      expect(reading.resetAtMs).toBeGreaterThan(before + 3_590_000);
      expect(reading.resetAtMs).toBeLessThanOrEqual(Date.now() + 3_600_000);
    }
    expect(await meter.look('a')).toMatchObject({ left: 0, isOver: true });
    expect(await meter.take('a')).toMatchObject({ left: 0, isOver: true });
    expect(await meter.take('a')).toMatchObject({ left: 0, isOver: true });
    expect(await meter.take('b')).toMatchObject({ left: 2, isOver: false });
    expect(await meter.look('b')).toBeNull();
  });

  test('in the database counts for all processes together, also at once', async () => {
    const meters = [shared(), shared(), shared()];
    const readings = await Promise.all(meters.flatMap((meter) => ['a', 'a', 'a'].map((key) => meter.take(key))));
    expect(readings.filter(({ isOver }) => !isOver)).toHaveLength(3);
    expect(await shared().look('a')).toMatchObject({ isOver: true });
    expect(await alone().look('a')).toBeNull();
  });

  test('begins a new window when the old one is over', async () => {
    const meter = rateMeter({ max: 1, windowSeconds: 1, name, database: suite.database });
    expect(await meter.take('a')).toMatchObject({ isOver: false });
    expect(await meter.take('a')).toMatchObject({ isOver: true });
    await vi.waitFor(async () => expect(await meter.take('a')).toMatchObject({ isOver: false }), { timeout: 10_000 });
  });

  test('keeps counting by itself while the database does not answer', async () => {
    const broken = { ...suite.database, query: () => Promise.reject(new Error('no database')) };
    const meter = rateMeter({ ...hour, name, database: broken });
    for (const isOver of [false, false, false, true]) expect(await meter.take('a')).toMatchObject({ isOver });
    expect(await meter.look('a')).toMatchObject({ isOver: true });
  });
});
