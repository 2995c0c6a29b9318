/** What must hold in our Dockerfile. Each rule returns one line per offence. */
export interface Instruction {
  readonly name: string;
  readonly value: string;
}

export interface Stage {
  /** Without the name that the stage is given. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

export function readDockerfile(text: string): Stage[] {
  const stages: { base: string; instructions: Instruction[] }[] = [];
  const joined = text.replace(/^\s*#.*\n/gm, '').replace(/\\\n\s*/g, ' ');
  for (const line of joined.split('\n').filter((candidate) => candidate.trim() !== '')) {
    const [, name = '', value = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === '') throw new Error(`not an instruction: ${line}`);
    if (name === 'FROM') stages.push({ base: value.replace(/ AS \w+$/, ''), instructions: [] });
    else stages.at(-1)?.instructions.push({ name, value });
  }
  return stages;
}

/** The last one wins, as for Docker. */
export const lastOf = (stage: Stage | undefined, name: string): string | undefined =>
  stage?.instructions.findLast((instruction) => instruction.name === name)?.value;

/** The exec form, which runs without a shell. */
export function execForm(value: string | undefined): string[] {
  const list = /\[.*\]$/.exec(value ?? '')?.[0];
  if (list === undefined) throw new Error(`not in exec form: ${value}`);
  return JSON.parse(list) as string[];
}

/** The command of HEALTHCHECK, whose options come before it. */
export const healthCommand = (stage: Stage | undefined): string[] => execForm(lastOf(stage, 'HEALTHCHECK'));

export function rootUsers(stages: readonly Stage[]): string[] {
  const user = lastOf(stages.at(-1), 'USER');
  return user === undefined || /^(root|0)(:|$)/.test(user) ? [`the image runs as ${user ?? 'root'}`] : [];
}

/** Native modules are made for the Node.js and the C library of the image that they are installed in. */
export function differentBases(stages: readonly Stage[]): string[] {
  const bases = new Set(stages.map(({ base }) => base));
  return bases.size === 1 ? [] : [`stages on different bases: ${[...bases].join(', ')}`];
}

/** @param engines as in package.json, of the form `>=20.19` */
export function oldNode(stages: readonly Stage[], engines: string): string[] {
  const least = Number(/^>=(\d+)/.exec(engines)?.[1]);
  return stages
    .filter(({ base }) => !(Number(/^node:(\d+)/.exec(base)?.[1]) > least))
    .map(({ base }) => `${base} may be older than ${engines}`);
}

/** Paths that are copied from the repository. */
export const copiedPaths = (stages: readonly Stage[]): string[] =>
  stages
    .flatMap(({ instructions }) => instructions)
    .filter(({ name, value }) => name === 'COPY' && !value.startsWith('--from'))
    .flatMap(({ value }) => value.split(/\s+/).slice(0, -1));

/** @param ignored lines of .dockerignore */
export function unavailablePaths(
  paths: readonly string[],
  exists: (path: string) => boolean,
  ignored: string,
): string[] {
  const patterns = ignored.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return paths.flatMap((path) => {
    if (!exists(path)) return [`${path} is copied and does not exist`];
    return patterns.some((pattern) => isIgnored(path, pattern)) ? [`${path} is copied and kept out`] : [];
  });
}

/** @param inputs what the build reads */
export const missingInputs = (paths: readonly string[], inputs: readonly string[]): string[] =>
  inputs.filter((input) => !paths.includes(input)).map((input) => `${input} is built from and not copied`);

function isIgnored(path: string, pattern: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('**/', '(?:.*/)?')
    .replace(/(?<!\.)\*/g, '[^/]*');
  return new RegExp(`^${expression}(?:/|$)`).test(path);
}
