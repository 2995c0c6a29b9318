/** What a create expects of a session that its process has never met. */
import { beforeAll, expect, test } from 'vitest';
import { openSeenRows } from '../../src/sessions/seen-rows.ts';
import { sqlSessionStore } from '../../src/storage/session-store.ts';
import { describeEachDatabase } from '../harness/databases.ts';
import { type Lifecycle, lifecycleOf } from './lifecycle.ts';

describeEachDatabase('rows that were seen', (suite) => {
  let life: Lifecycle;
  beforeAll(async () => {
    life = await lifecycleOf(suite.database);
  });
  const rowsOfAProcess = () => openSeenRows(sqlSessionStore(suite.database));
  const made = async () => (await life.open()).order.workflowId;

  test('are looked for, and nothing else is, as long as what comes is new', async () => {
    const rows = rowsOfAProcess();
    const workflowId = await made();
    expect(rows.isExpectedNew(workflowId)).toBe(true);
    rows.note(workflowId);
    expect(rows.isExpectedNew(workflowId)).toBe(false);
    expect(rows.isExpectedNew('session/dev/another')).toBe(true);
    expect(await rows.find('session/dev/another')).toBe(null);
    expect(rows.isExpectedNew('session/dev/another')).toBe(true);
  });

  test('once a look has found one, the next is looked for, until a look finds none', async () => {
    const rows = rowsOfAProcess();
    expect(await rows.look(await made())).toMatchObject({ closedAt: null });
    expect(rows.isExpectedNew('session/dev/next')).toBe(false);
    expect(await rows.look('session/dev/next')).toBe(null);
    expect(rows.isExpectedNew('session/dev/next')).toBe(true);
  });

  test('a row that is known says nothing of the next', async () => {
    const rows = rowsOfAProcess();
    const workflowId = await made();
    rows.note(workflowId);
    await rows.look(workflowId);
    expect(rows.isExpectedNew('session/dev/next')).toBe(true);
    // Nor does one that is waited for, once it shows.
    expect(await rows.find(await made())).toMatchObject({ closedAt: null });
    expect(rows.isExpectedNew('session/dev/next')).toBe(true);
  });
});
