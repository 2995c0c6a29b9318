/** The repository as the tidy rules see it: paths relative to its root, read once. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Repository {
  /** Content by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Paths of all folders that hold something. */
  readonly folders: ReadonlySet<string>;
}

/** Folders that git ignores, and the planted offences: those are for the tools' own test. */
const skipped = /^(\.git|\.perdure|\.venv|coverage|dist(-\d+)?|node_modules|__pycache__)$/;
const planted = 'test/tidy/violations';
const readable = /\.(ts|mjs|cjs|py|sql|md|ya?ml|json|sh)$/;

export function readRepository(root: string): Repository {
  const files = new Map<string, string>();
  const folders = new Set<string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (skipped.test(entry.name) || path === planted) continue;
      if (entry.isDirectory()) {
        folders.add(path);
        visit(path);
      } else if (entry.isFile()) {
        files.set(path, readable.test(entry.name) ? readFileSync(join(root, path), 'utf8') : '');
      }
    }
  };
  visit('');
  return { files, folders };
}

/** Files whose path matches, sorted. */
export function filesLike(repository: Repository, path: RegExp): [path: string, text: string][] {
  return [...repository.files].filter(([candidate]) => path.test(candidate)).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
