/** Our own rules on the whole repository. test/tidy/violations.test.ts proves that each of them can fail. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as codeRules from './tidy/code-rules.ts';
import * as documentRules from './tidy/document-rules.ts';
import { readRepository } from './tidy/repository.ts';

const repository = readRepository(fileURLToPath(new URL('..', import.meta.url)));

test('no file is longer than a reader follows', () => {
  expect(codeRules.longFiles(repository)).toEqual([]);
});

test('each test fits on a screen', () => {
  expect(codeRules.longTests(repository)).toEqual([]);
});

test('folders and names say what is in them', () => {
  expect(codeRules.vagueFolders(repository)).toEqual([]);
  expect(codeRules.vagueNames(repository)).toEqual([]);
});

test('the domain reads no clock', () => {
  expect(codeRules.impureClocks(repository)).toEqual([]);
});

test('tests wait on conditions and never sleep', () => {
  expect(codeRules.sleeps(repository)).toEqual([]);
});

test('nothing is marked as unfinished', () => {
  expect(codeRules.unfinishedWords(repository)).toEqual([]);
});

test('README, ARCHITECTURE and LICENSE are there', () => {
  expect(documentRules.missingDocuments(repository)).toEqual([]);
});

test('every path that the documents mention exists', () => {
  expect(documentRules.brokenPaths(repository)).toEqual([]);
});

test('every script that the documents mention exists', () => {
  expect(documentRules.unknownScripts(repository)).toEqual([]);
});

test('ARCHITECTURE numbers the invariants I1 to I8, and each is cited by a source and by a test', () => {
  expect(documentRules.invariantIds(repository)).toEqual(
    expect.arrayContaining(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8']),
  );
  expect(documentRules.uncitedInvariants(repository)).toEqual([]);
});
