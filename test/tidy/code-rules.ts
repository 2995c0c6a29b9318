/** Our own rules of style on code that no tool of the gate knows. Each returns one line per offence. */
import ts from 'typescript';
import { filesLike, type Repository } from './repository.ts';

/** Where a reader's patience ends. */
const fileLinesMax = 300;
const testLinesMax = 60;

const code = /^(src|workflows|activities|test|bench|examples|scripts)\/.*\.(ts|mjs|py)$/;
const tests = /^test\/.*\.(test|test-d)\.ts$/;

export function longFiles(repository: Repository): string[] {
  return filesLike(repository, code)
    .map(([path, text]) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > fileLinesMax)
    .map(({ path, lines }) => `${path}: ${lines} lines, ${fileLinesMax} at most`);
}

/** The linter leaves functions of tests alone because a describe block is as long as its tests. */
export function longTests(repository: Repository): string[] {
  return filesLike(repository, /^test\/.*\.ts$/).flatMap(([path, text]) => longFunctions(path, text));
}

function longFunctions(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const offences: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && !isDescribed(node)) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const lines = source.getLineAndCharacterOfPosition(node.end).line - first + 1;
      if (lines > testLinesMax) offences.push(`${path}:${first + 1}: ${lines} lines, ${testLinesMax} at most`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return offences;
}

const isDescribed = (node: ts.Node): boolean =>
  ts.isCallExpression(node.parent) && node.parent.expression.getText().startsWith('describe');

export function vagueFolders(repository: Repository): string[] {
  const vague = /(?:^|\/)(utils?|helpers?|commons?|libs?|shared|misc)\//;
  return filesLike(repository, vague).map(([path]) => `${path}: is in a folder whose name says nothing`);
}

export function vagueNames(repository: Repository): string[] {
  const vague = /\b(?:class|interface|type|function|const)\s+(\w*(?:Manager|Service|Impl|Utils?|Helpers?))\b/g;
  return matches(repository, code, vague).map(({ path, line, found }) => `${path}:${line}: ${found} says nothing`);
}

/** Time is an argument of every decision; the linter bans `Date.now`, which leaves the constructor. */
export function impureClocks(repository: Repository): string[] {
  return matches(repository, /^src\/domain\//, /\bnew Date\(\)/g).map(
    ({ path, line }) => `${path}:${line}: reads a clock`,
  );
}

/** Tests wait on conditions: a sleep is too short on a busy machine and too long on an idle one. */
export function sleeps(repository: Repository): string[] {
  const fixed = /\bsetTimeout\(\w+, *\d[\d_]{2,}\)|\b(?:sleep|delay)\(\d[\d_]{2,}\)/g;
  return matches(repository, tests, fixed).map(({ path, line, found }) => `${path}:${line}: ${found}`);
}

export function unfinishedWords(repository: Repository): string[] {
  const words = /\b(?:TO[D]O|FIX[M]E|X{3}|HA[C]K)\b|\bnot implemente[d]\b|\bfor no[w]\b/g;
  const anything = /\.(ts|mjs|cjs|py|sql|md|ya?ml|sh)$|^\.ci\//;
  return matches(repository, anything, words).map(({ path, line, found }) => `${path}:${line}: ${found}`);
}

function matches(repository: Repository, paths: RegExp, pattern: RegExp) {
  return filesLike(repository, paths).flatMap(([path, text]) =>
    [...text.matchAll(pattern)].map((match) => ({
      path,
      line: text.slice(0, match.index).split('\n').length,
      found: match[1] ?? match[0],
    })),
  );
}
