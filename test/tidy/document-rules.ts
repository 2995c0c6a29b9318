/** The documents against the repository: what they name must exist. Each rule returns one line per offence. */
import { posix } from 'node:path';
import { filesLike, type Repository } from './repository.ts';

const documents = /(^|\/)[^/]+\.md$/;
const topFolders = 'src|workflows|activities|test|bench|docs|examples|scripts|\\.ci';

export function missingDocuments(repository: Repository): string[] {
  return ['README.md', 'ARCHITECTURE.md', 'LICENSE'].filter((path) => !repository.files.has(path));
}

export function brokenPaths(repository: Repository): string[] {
  return filesLike(repository, documents).flatMap(([document, text]) => {
    const names = [...rootedNames(text), ...fileNames(document, text), ...linkTargets(document, text)];
    const broken = new Set(names.filter((name) => !exists(repository, name)));
    return [...broken].map((name) => `${document}: ${name.replace('*/', '')} does not exist`);
  });
}

/** Anything that begins with one of our folders: in prose, in code spans and in fenced commands. */
function rootedNames(text: string): string[] {
  const rooted = new RegExp(`(?<![\\w./@-])(?:${topFolders})/[\\w./*<>-]*`, 'g');
  return [...text.matchAll(rooted)].map(([name]) => name.replace(/[.,]+$/, ''));
}

/** File names in code spans, and in the map of ARCHITECTURE.md, which shows folders by indentation. */
function fileNames(document: string, text: string): string[] {
  const spans = [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((match) => match[1] ?? '');
  const fences =
    document === 'ARCHITECTURE.md' ? [...text.matchAll(/^```.*\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '') : [];
  return [...spans, ...fences]
    .flatMap((code) => code.split(/[\s,()]+/))
    .filter((word) => /^[\w./-]+\.(ts|mjs|cjs|sql|py|ya?ml|md)$/.test(word) && !/^(\.\.?)?\//.test(word))
    .filter((word) => !new RegExp(`^(?:${topFolders})/`).test(word))
    .map((word) => `*/${word}`);
}

function linkTargets(document: string, text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/i.test(target))
    .map((target) => posix.normalize(posix.join(posix.dirname(document), target)));
}

/** A `*` or `<name>` in a path stands for anything within one segment; a leading `*` segment for any folder. */
function exists({ files, folders }: Repository, name: string): boolean {
  const path = name.replace(/\/$/, '');
  if (files.has(path) || folders.has(path)) return true;
  if (!/[*<]/.test(path)) return false;
  const anywhere = path.startsWith('*/');
  const escaped = (anywhere ? path.slice(2) : path)
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+|<[^>]*>/g, '[^/]+');
  const pattern = new RegExp(`^${anywhere ? '(?:.*/)?' : ''}${escaped}$`);
  return [...files.keys(), ...folders].some((candidate) => pattern.test(candidate));
}

export function unknownScripts(repository: Repository): string[] {
  const { scripts = {} } = JSON.parse(repository.files.get('package.json') ?? '{}') as {
    scripts?: Record<string, string>;
  };
  return filesLike(repository, documents).flatMap(([document, text]) =>
    [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(test|start)\b)/g)]
      .map((match) => match[1] ?? match[2] ?? '')
      .filter((script) => !(script in scripts))
      .map((script) => `${document}: package.json has no script ${script}`),
  );
}

/** Each invariant of ARCHITECTURE.md is cited where it is kept and where it is tested. */
export function uncitedInvariants(repository: Repository): string[] {
  const ids = invariantIds(repository);
  const places = [
    { where: 'source', path: /^(src|workflows|activities)\/.*\.(ts|sql)$/ },
    { where: 'test', path: /^test\/(?!tidy).*\.(test|test-d)\.ts$/ },
  ];
  return places.flatMap(({ where, path }) => {
    const cited = filesLike(repository, path)
      .map(([, text]) => text)
      .join('\n');
    return ids.filter((id) => !new RegExp(`\\b${id}\\b`).test(cited)).map((id) => `${id}: no ${where} cites it`);
  });
}

export function invariantIds(repository: Repository): string[] {
  const text = repository.files.get('ARCHITECTURE.md') ?? '';
  return [...new Set([...text.matchAll(/\bI\d{1,2}\b/g)].map(([id]) => id))].toSorted();
}
