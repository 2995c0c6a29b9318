/** Takes the lock of the folder named by its argument, says so, and holds it until it is killed. */
import { takeInstanceLock } from '../../../src/instance-lock.ts';

const [, , dataDir = ''] = process.argv;
await takeInstanceLock(dataDir);
process.stdout.write(`held by ${process.pid}\n`);
// Ends with whoever started it.
process.stdin.once('end', () => process.exit()).resume();
