/**
 * Sources -> dist: compiled modules, SQL migrations and the bundle of the workflows. Does nothing when dist already
 * holds what these sources build to. Everything is made in a folder beside dist and moved in file by file, so that
 * a server that runs from dist, or a second build, never meets half a file. `--check` only tells, by its exit code,
 * whether dist is current.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const fresh = join(root, `dist-${process.pid}`);
const stampFile = '.sources';
const sourceFolders = ['src', 'workflows', 'activities', 'examples'];
const otherInputs = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs'];
const compileTimeoutMs = 300_000;

/** @param {string} folder @returns {string[]} paths of the files below it, relative to it, in one order everywhere */
function filesBelow(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Content, not times: a fresh clone has new times for old files. */
function digestOfSources() {
  const hash = createHash('sha256').update(process.version);
  const files = sourceFolders.flatMap((folder) => filesBelow(join(root, folder)).map((file) => join(folder, file)));
  for (const file of [...files, ...otherInputs]) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** @param {string} digest */
function isBuilt(digest) {
  const stamp = join(dist, stampFile);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], {
    cwd: root,
    stdio: 'inherit',
    timeout: compileTimeoutMs,
  });
  if (status !== 0) throw new Error('the sources do not compile');
}

function copySql() {
  const folder = join('src', 'storage', 'migrations');
  for (const file of filesBelow(join(root, folder)).filter((name) => name.endsWith('.sql'))) {
    cpSync(join(root, folder, file), join(fresh, folder, file), { recursive: true });
  }
}

async function bundleWorkflows() {
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, 'workflows', 'index.ts'),
    payloadConverterPath: join(root, 'workflows', 'payload-converter.ts'),
    // As in src/workflow-source.ts.
    preloadModules: [join(root, 'workflows', 'index.ts')],
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(join(fresh, 'workflow-bundle.js'), code);
}

/** The stamp goes last: until then dist counts as stale. @param {string} digest */
function moveIntoDist(digest) {
  rmSync(join(dist, stampFile), { force: true });
  const files = new Set(filesBelow(fresh));
  for (const file of files) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    renameSync(join(fresh, file), join(dist, file));
  }
  for (const file of filesBelow(dist).filter((old) => !files.has(old))) rmSync(join(dist, file), { force: true });
  writeFileSync(join(dist, stampFile), digest);
}

/** @param {string} digest */
async function build(digest) {
  console.log('Building ...');
  try {
    compile();
    copySql();
    await bundleWorkflows();
    moveIntoDist(digest);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  console.log(`Built ${filesBelow(dist).length} files.`);
}

const digest = digestOfSources();
if (process.argv.includes('--check')) {
  process.exitCode = isBuilt(digest) ? 0 : 1;
} else if (!isBuilt(digest)) {
  await build(digest).catch((error) => {
    console.error(error instanceof Error ? `Build failed: ${error.message}` : error);
    process.exitCode = 1;
  });
}
