/**
 * Takes and gives back the lock of a folder as often as it can until its input ends, then says how often it held
 * it. While it holds, a file of its own making must not be there already: two holders would meet at it.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FolderInUse, takeInstanceLock } from '../../../src/instance-lock.ts';

const [, , dataDir = ''] = process.argv;
const witness = join(dataDir, 'witness');
const turn = { over: false };
process.stdin
  .once('end', () => {
    turn.over = true;
  })
  .resume();

let held = 0;
process.stdout.write('ready\n');
while (!turn.over) {
  try {
    const lock = await takeInstanceLock(dataDir);
    await writeFile(witness, String(process.pid), { flag: 'wx' });
    held += 1;
    await rm(witness);
    await lock.release();
  } catch (thrown) {
    if (!(thrown instanceof FolderInUse)) throw thrown;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
process.stdout.write(`held ${held}\n`);
