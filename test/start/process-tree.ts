/** Who was started by whom, and who is still there. */
import { execFileSync } from 'node:child_process';
import { identifyProcess, isAlive, type ProcessIdentity } from '../../src/live-process.ts';

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function runningProcesses(): RunningProcess[] {
  const listed = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return [...listed.matchAll(/^\s*(\d+)\s+(\d+)\s+(.*)$/gm)].map(([, pid, parent, command = '']) => ({
    pid: Number(pid),
    parent: Number(parent),
    command,
  }));
}

/** Development servers of Temporal, anybody's. */
export const temporalServersOn = (port: string): RunningProcess[] =>
  runningProcesses().filter(({ command }) => command.includes(' start-dev ') && command.includes(` --port ${port} `));

/** Children, their children, and so on. */
function descendantsOf(pid: number): RunningProcess[] {
  const all = runningProcesses();
  const found: RunningProcess[] = [];
  for (let parents = [pid]; parents.length > 0; ) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children);
    parents = children.map((child) => child.pid);
  }
  return found;
}

export interface Family {
  readonly members: readonly RunningProcess[];
  /** Those that are alive, by pid and start: a pid may have been given to another process. */
  alive(): Promise<RunningProcess[]>;
}

/** A process and its descendants as they are now, to be looked for later. */
export async function familyOf(pid: number): Promise<Family> {
  const members = runningProcesses()
    .filter((process) => process.pid === pid)
    .concat(descendantsOf(pid));
  const identities = new Map<RunningProcess, ProcessIdentity>();
  for (const member of members) {
    const identity = await identifyProcess(member.pid);
    if (identity !== null) identities.set(member, identity);
  }
  return {
    members,
    async alive() {
      const found: RunningProcess[] = [];
      for (const [member, identity] of identities) if (await isAlive(identity)) found.push(member);
      return found;
    },
  };
}
