/**
 * `npm run check [step ...]` and `npm test`: runs the steps, shows the output of those that fail, and ends with
 * `N passed, N failed, N skipped`: tests one by one, every other step as one. Exit 1 if anything failed.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runStep, stopSteps } from './run-step.mjs';
import { allSteps, checkSteps } from './steps.mjs';

/** @typedef {import('./steps.mjs').Step} Step */
/** @typedef {{ passed: number, failed: number, skipped: number }} Totals */

const stepsAtOnce = 2;
const stopGraceMs = 15_000;
let stopping = false;

/** @param {Step} step @param {string} folder @returns {Promise<Totals>} */
async function execute(step, folder) {
  const reportFile = join(folder, `${step.name}.json`);
  const extraArgs =
    step.project === undefined ? [] : ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  if (step.live) console.log(`     ${step.name} ...`);
  const { ok, seconds, output } = await runStep(step, { extraArgs });
  const skipped = ok && step.skipped?.test(output) === true;
  const totals = step.project === undefined ? countStep({ ok, skipped }) : await countTests(ok, reportFile);
  console.log(`${ok ? (skipped ? 'skip' : 'ok  ') : 'FAIL'} ${step.name} (${seconds.toFixed(1)} s)`);
  if (!ok || skipped) console.log(output);
  return totals;
}

/** @param {{ ok: boolean, skipped: boolean }} outcome @returns {Totals} */
function countStep({ ok, skipped }) {
  return { passed: Number(ok && !skipped), failed: Number(!ok), skipped: Number(skipped) };
}

/** @param {boolean} ok @param {string} reportFile @returns {Promise<Totals>} */
async function countTests(ok, reportFile) {
  const none = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  const report = await readFile(reportFile, 'utf8').then(JSON.parse, () => none);
  return {
    passed: report.numPassedTests,
    // A file that does not load, an unhandled error or a time-out fails the run without failing a test.
    failed: ok ? report.numFailedTests : Math.max(report.numFailedTests, 1),
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** @param {readonly Step[]} steps @param {string} folder @returns {Promise<Totals>} */
async function executeAll(steps, folder) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  /** @param {Step} step */
  const add = async (step) => {
    const { passed, failed, skipped } = await execute(step, folder);
    totals.passed += passed;
    totals.failed += failed;
    totals.skipped += skipped;
  };
  const queue = steps.filter((step) => !step.live);
  const drain = async () => {
    for (let step = queue.shift(); step !== undefined && !stopping; step = queue.shift()) await add(step);
  };
  await Promise.all(Array.from({ length: stepsAtOnce }, drain));
  for (const step of steps.filter((candidate) => candidate.live)) if (!stopping) await add(step);
  return totals;
}

/** @param {readonly string[]} args the set, then the names of the steps wanted; none means all of the set */
function chooseSteps([set, ...names]) {
  const steps = set === 'check' ? checkSteps : allSteps;
  const unknown = names.filter((name) => !allSteps.some((step) => step.name === name));
  if (unknown.length > 0) {
    throw new Error(`no such step: ${unknown.join(', ')}; there are ${allSteps.map((step) => step.name).join(', ')}`);
  }
  return names.length === 0 ? steps : allSteps.filter((step) => names.includes(step.name));
}

/** Steps that run get a moment to stop their servers; no other step begins. */
function stop() {
  stopping = true;
  stopSteps('SIGTERM');
  setTimeout(() => stopSteps('SIGKILL'), stopGraceMs).unref();
}

process.once('SIGINT', stop);
process.once('SIGTERM', stop);

const folder = await mkdtemp(join(tmpdir(), 'perdure-gate-'));
try {
  const totals = await executeAll(chooseSteps(process.argv.slice(2)), folder);
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  process.exitCode = stopping ? 130 : Number(totals.failed > 0);
} finally {
  await rm(folder, { recursive: true, force: true });
}
