/**
 * Sessions live for months, so today's workflow code goes on with histories of every version before it. Each recorded
 * history replays, and workflows that were broken on purpose do not: docs/recipes/change-a-workflow-safely.md.
 */
import { describe, expect, test } from 'vitest';
import { type RecordedHistory, readHistories } from './histories.ts';
import { outlineOf } from './outline.ts';
import { bundleOf, replay } from './replay.ts';
import { recoveryShapes, shapes } from './shapes.ts';

const histories = readHistories();
const allShapes: Readonly<Record<string, { readonly shows: readonly string[] }>> = { ...shapes, ...recoveryShapes };
const nameOf = ({ version, shape }: Pick<RecordedHistory, 'version' | 'shape'>): string => `${version}/${shape}`;

const isOfSession = ({ history }: RecordedHistory): boolean =>
  history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name === 'session';

describe('the recorded histories', () => {
  test('are of every shape that a session can have, and of no other', () => {
    const recorded = [...new Set(histories.map(({ shape }) => shape))];
    expect(recorded.toSorted()).toEqual(Object.keys(allShapes).toSorted());
  });

  test.each(histories.map((recorded) => [nameOf(recorded), recorded] as const))(
    '%s shows its shape',
    (_name, { shape, history }) => {
      expect(outlineOf(history)).toEqual(expect.arrayContaining([...(allShapes[shape]?.shows ?? ['a shape'])]));
    },
  );

  test('name neither the machine nor its folders', () => {
    const revealing = /"identity"|\d+@\w|file:\/\/|\((?:\/|[A-Z]:)/;
    const texts = histories.map((recorded) => [nameOf(recorded), JSON.stringify(recorded.history)] as const);
    expect(texts.flatMap(([name, text]) => (revealing.test(text) ? [name, revealing.exec(text)?.[0]] : []))).toEqual(
      [],
    );
  });
});

describe('the workflows as they are', () => {
  test('replay all of them', async () => {
    const failed = await replay(histories);
    expect(failed.map((one) => `${nameOf(one)}: ${one.error.message}`)).toEqual([]);
  });
});

describe('a workflow that was broken on purpose', () => {
  const showing = (word: string) => histories.filter(({ history }) => outlineOf(history).includes(word)).map(nameOf);
  const variants = [
    { variant: 'waits-first', breaks: histories.filter(isOfSession).map(nameOf) },
    { variant: 'looks-twice', breaks: histories.map(nameOf) },
    { variant: 'forgets-timers', breaks: showing('TIMER_STARTED') },
    { variant: 'renames-runs', breaks: showing('ACTIVITY_TASK_SCHEDULED') },
  ];

  test.each(variants)('$variant fails on each history that shows the difference, and on no other', async (broken) => {
    expect(broken.breaks).not.toEqual([]);
    const failed = await replay(histories, bundleOf(`./broken/${broken.variant}.ts`));
    expect(failed.map(nameOf)).toEqual(broken.breaks);
    expect([...new Set(failed.map(({ error }) => error.name))]).toEqual(['DeterminismViolationError']);
  });
});
