/** A guard must be seen to fail: every rule of the gate finds the offence that is planted for it, and nothing else. */
import { createRequire } from 'node:module';
import { afterAll, describe, expect, test } from 'vitest';
import { runStep } from '../../scripts/run-step.mjs';
import { boundaries, format, lint } from '../../scripts/steps.mjs';
import * as codeRules from './code-rules.ts';
import * as documentRules from './document-rules.ts';
import { expectedReports, plant, runTool, tools } from './planted.ts';
import type { Repository } from './repository.ts';

const planted = plant();
afterAll(planted.remove);

describe.concurrent('tools', () => {
  test.each(tools)('$step.name reports each planted offence by its rule, and looked at files', async (tool) => {
    const { ok, scanned, reports } = await runTool(tool, planted.root);
    expect(reports).toEqual(expectedReports(planted.repository, tool.step.name));
    expect(ok).toBe(false);
    expect(scanned).toBeGreaterThan(0);
  });

  test.each([format(['empty']), lint(['empty']), boundaries(['empty'])])(
    '$name that sees no file does not pass',
    async (step) => {
      expect(await runStep(step, { cwd: planted.root })).toMatchObject({ ok: false });
    },
  );
});

test('an import rule without a planted offence does not exist', () => {
  const { forbidden } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
    forbidden: { name: string }[];
  };
  const proven = new Set(expectedReports(planted.repository, 'boundaries').map((report) => report.split(' ').at(-1)));
  expect(proven).toEqual(new Set(forbidden.map(({ name }) => name)));
});

const tidyRules = {
  'long-file': codeRules.longFiles,
  'long-test': codeRules.longTests,
  'banned-folder': codeRules.vagueFolders,
  'banned-name': codeRules.vagueNames,
  'impure-clock': codeRules.impureClocks,
  'sleep-in-test': codeRules.sleeps,
  'broken-path': documentRules.brokenPaths,
  'unknown-script': documentRules.unknownScripts,
};

test.each(Object.entries(tidyRules))('the tidy rule %s finds its planted offence alone', (name, rule) => {
  const found = rule(planted.repository).map((offence) => offence.split(':')[0] ?? '');
  const expected = expectedReports(planted.repository, 'tidy').filter((report) => report.endsWith(` ${name}`));
  expect(expected).not.toEqual([]);
  expect(found.map((path) => `${path} ${name}`)).toEqual(expected);
});

const repositoryOf = (files: Record<string, string>): Repository => ({
  files: new Map(Object.entries(files)),
  folders: new Set(),
});

test('a missing document is found', () => {
  expect(documentRules.missingDocuments(repositoryOf({ LICENSE: '' }))).toEqual(['README.md', 'ARCHITECTURE.md']);
});

test('an invariant that no source and no test cites is found', () => {
  const cited = { 'src/a.ts': '// I1', 'test/a.test.ts': "test('I1: ...')" };
  expect(documentRules.uncitedInvariants(repositoryOf({ 'ARCHITECTURE.md': 'I1 One. I2 Two.', ...cited }))).toEqual([
    'I2: no source cites it',
    'I2: no test cites it',
  ]);
});

test('a mark of unfinished work is found', () => {
  const mark = 'todo'.toUpperCase();
  expect(codeRules.unfinishedWords(repositoryOf({ 'src/a.ts': `\n// ${mark}: later` }))).toEqual([
    `src/a.ts:2: ${mark}`,
  ]);
});
