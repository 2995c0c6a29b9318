import { createHash, randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { sqlUsedTokens } from '../../src/storage/used-tokens.ts';
import { describeEachDatabase, describePostgres } from '../harness/databases.ts';

const tokenOf = (text: string, expiresAtSeconds = Math.floor(Date.now() / 1_000) + 60) => ({
  digest: createHash('sha256').update(text).digest(),
  expiresAtSeconds,
});

describeEachDatabase('tokens for one use', (suite) => {
  const tokens = () => sqlUsedTokens(suite.database);
  const kept = async () => (await suite.database.query('SELECT 1 FROM used_tokens')).length;

  beforeEach(async () => {
    await suite.database.query('DELETE FROM used_tokens');
  });

  test('are taken once, each for itself', async () => {
    expect(await tokens().take(tokenOf('a'), 'first')).toBe(true);
    expect(await tokens().take(tokenOf('a'), 'second')).toBe(false);
    expect(await tokens().take(tokenOf('b'), 'second')).toBe(true);
  });

  test('are given back by the request that has them, and by no other', async () => {
    await tokens().take(tokenOf('a'), 'first');
    await tokens().giveBack(tokenOf('a').digest, 'second');
    expect(await tokens().take(tokenOf('a'), 'second')).toBe(false);
    await tokens().giveBack(tokenOf('a').digest, 'first');
    expect(await tokens().take(tokenOf('a'), 'second')).toBe(true);
  });

  test('of 20 requests at once one has it', async () => {
    const asked = Array.from({ length: 20 }, () => tokens().take(tokenOf('a'), randomUUID()));
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1);
  });

  describe('are remembered', () => {
    const nowSeconds = () => Math.floor(Date.now() / 1_000);

    test('until a day after their end, then each use clears some away', async () => {
      const old = nowSeconds() - 24 * 3_600;
      for (let index = 0; index < 50; index += 1) {
        await suite.database.query('INSERT INTO used_tokens VALUES ($1, $2, to_timestamp($3::double precision))', [
          tokenOf(`old ${index}`).digest,
          'use',
          old,
        ]);
      }
      await tokens().take(tokenOf('young', nowSeconds() - 23 * 3_600), 'use');
      for (let uses = 0; uses < 4; uses += 1) await tokens().take(tokenOf(`new ${uses}`), 'use');
      expect(await kept()).toBe(5);
      expect(await tokens().take(tokenOf('young'), 'another')).toBe(false);
    });

    test('also when they say that they never end', async () => {
      expect(await tokens().take(tokenOf('a', Number.MAX_SAFE_INTEGER), 'first')).toBe(true);
      expect(await tokens().take(tokenOf('a', Number.MAX_SAFE_INTEGER), 'second')).toBe(false);
    });
  });
});

describePostgres('tokens for one use, of several processes', (suite) => {
  test('go to one of them, 30 times', async () => {
    const processes = [suite.database, suite.openAnother(), suite.openAnother()].map((each) => sqlUsedTokens(each));
    for (let round = 0; round < 30; round += 1) {
      const token = tokenOf(`round ${round}`);
      const asked = processes.flatMap((each) => [each.take(token, randomUUID()), each.take(token, randomUUID())]);
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1);
    }
  });
});
