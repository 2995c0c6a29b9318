/**
 * Known vulnerabilities in what we ship, of high severity or worse, fail the gate. A registry that does not answer,
 * or that offers no advisories, does not: the gate must pass without a network. Exit 0, with a line that says which.
 */
import { execFile } from 'node:child_process';

const registryTimeoutMs = 60_000;

/** @returns {Promise<string>} npm's report; npm exits with 1 both when it found something and when it could not look */
function npmAudit() {
  return new Promise((resolve) => {
    execFile(
      'npm',
      ['audit', '--omit=dev', '--json', '--fetch-retries=0'],
      { timeout: registryTimeoutMs, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout) => resolve(stdout),
    );
  });
}

/** @param {string} text @returns {any} */
function parseReport(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const report = parseReport(await npmAudit());
const counts = report.metadata?.vulnerabilities;
if (counts === undefined) {
  console.log(`audit skipped: ${report.message ?? report.error?.summary ?? 'the registry did not answer'}`);
} else if (counts.high + counts.critical > 0) {
  for (const { name, severity, range } of Object.values(report.vulnerabilities)) {
    if (severity === 'high' || severity === 'critical') console.error(`${severity}: ${name} ${range}`);
  }
  console.error('Vulnerable production dependencies: upgrade them, `npm audit --omit=dev` says to what.');
  process.exitCode = 1;
} else {
  console.log(`audited ${report.metadata.dependencies.prod} production dependencies: none of high severity`);
}
