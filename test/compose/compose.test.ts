/**
 * docker-compose.yml and Dockerfile against the program that they run. No container engine is needed; each rule is
 * also shown an offence, so that a rule that stopped seeing anything fails here.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { aliveRoute, readyRoute } from '../../src/http/routes/health.ts';
import { spawnProcess } from '../harness/processes.ts';
import { type ComposeFile, composeText, readCompose } from './compose-file.ts';
import * as compose from './compose-rules.ts';
import * as docker from './dockerfile-rules.ts';
import { interpolate, requiredVariables } from './interpolate.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

const shell = {
  POSTGRES_PASSWORD: 'f00d',
  ENCRYPTION_KEY: 'ab'.repeat(32),
  SECRET_KEYS: 'tr_dev_0123456789abcdef',
};
const file = readCompose(composeText(), shell);
const stages = docker.readDockerfile(read('Dockerfile'));
const final = stages.at(-1);
const manifest = JSON.parse(read('package.json')) as { engines: { node: string }; bin: { perdure: string } };

/** The names in `NAME:` of a schema and in quotes. */
const namesIn = (...paths: readonly string[]): string[] =>
  paths.flatMap((path) =>
    [...read(path).matchAll(/\b([A-Z]{2,}(?:_[A-Z]+)*)(?=: |['"])/g)].map(([, name]) => name ?? ''),
  );
const serverVariables = namesIn('src/config.ts');
const taskVariables = [
  ...namesIn('src/tasks/serve-task-files.ts', 'src/tasks/worker-settings.ts'),
  'LOG_LEVEL',
  'LOG_FORMAT',
];
const variablesOf = (command: string) => (command === 'tasks' ? taskVariables : serverVariables);

/** A service of a made-up file with one offence. */
const planted = (service: object, others: object = {}): ComposeFile => ({
  services: { planted: { image: 'x:1', ...service }, ...others },
});

describe('docker-compose.yml', () => {
  test('asks for every secret and has no default for one', () => {
    expect(requiredVariables(composeText())).toEqual(['ENCRYPTION_KEY', 'POSTGRES_PASSWORD', 'SECRET_KEYS']);
    for (const name of Object.keys(shell)) {
      expect(() => readCompose(composeText(), { ...shell, [name]: '' })).toThrow(`${name} is required`);
    }
  });

  test('gives our services what config.ts accepts', () => {
    for (const name of ['api', 'worker']) {
      const environment = Object.entries(file.services[name]?.environment ?? {});
      const result = readConfig(Object.fromEntries(environment.map(([key, value]) => [key, String(value)])));
      expect(result).toMatchObject({
        ok: true,
        config: { databaseUrl: 'postgresql://perdure:f00d@postgres:5432/perdure' },
      });
    }
  });

  test('sets only variables that somebody reads', () => {
    expect(serverVariables).toEqual(expect.arrayContaining(['DATABASE_URL', 'SECRET_KEYS', 'HEALTH_PORT']));
    expect(compose.unknownVariables(file, variablesOf)).toEqual([]);
    expect(
      compose.unknownVariables(
        planted({ build: '.', command: ['api'], environment: { DATABSE_URL: 'x' } }),
        variablesOf,
      ),
    ).toEqual(['planted: nobody reads DATABSE_URL']);
  });

  test('runs commands that exist', async () => {
    const help = spawnProcess({ command: ['--help'] });
    await help.exited;
    const commands = [...help.lines.join('\n').matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name ?? '');
    expect(commands).toEqual(expect.arrayContaining(['start', 'api', 'worker', 'tasks', 'migrate']));
    expect(compose.unknownCommands(file, commands)).toEqual([]);
    expect(docker.execForm(docker.lastOf(final, 'CMD'))).toEqual(['api']);
    expect(compose.unknownCommands(planted({ build: '.', command: ['apo'] }), commands)).toHaveLength(1);
  });

  test('publishes on the loopback address, unless told otherwise', () => {
    expect(compose.publicPorts(file)).toEqual([]);
    const opened = readCompose(composeText(), { ...shell, API_ADDRESS: '0.0.0.0:80' });
    expect(compose.publicPorts(opened)).toEqual(['api: 0.0.0.0:80:3040 is open to the network']);
  });

  test('watches every service', () => {
    const imageHasCheck = (service: { build?: string }) => service.build !== undefined;
    expect([...compose.unwatchedServices(file, imageHasCheck), ...compose.unrestartedServices(file)]).toEqual([]);
    expect(compose.unwatchedServices(planted({ restart: 'no' }), imageHasCheck)).toHaveLength(1);
    expect(compose.unrestartedServices(planted({ restart: 'no' }))).toHaveLength(1);
  });

  test('asks for routes that exist, on the ports that are served', () => {
    const ready = readyRoute({ probes: {} }).path;
    expect(docker.healthCommand(final).join(' ')).toContain(`127.0.0.1:\${process.env.PORT || 3040}${ready}\``);
    const { worker, api } = file.services;
    expect(worker?.healthcheck?.test?.join(' ')).toContain(
      `127.0.0.1:${worker?.environment?.['HEALTH_PORT']}${ready}'`,
    );
    expect([api?.environment?.['PORT'], docker.lastOf(final, 'EXPOSE')]).toEqual([3040, '3040']);
    expect(api?.ports).toEqual(['127.0.0.1:3040:3040']);
    expect(aliveRoute.path).toBe('/healthz');
  });

  test('starts in an order that can come about', () => {
    expect([
      ...compose.brokenDependencies(file),
      ...compose.dependencyCycles(file),
      ...compose.missingDependencies(file),
    ]).toEqual([]);
    expect(
      compose.brokenDependencies(planted({ depends_on: { gone: { condition: 'service_healthy' } } })),
    ).toHaveLength(1);
    const job = { a: { restart: 'unless-stopped' } };
    const waiting = { depends_on: { a: { condition: 'service_completed_successfully' } } };
    expect(compose.brokenDependencies(planted(waiting, job))).toHaveLength(1);
    const back = { a: { depends_on: { planted: { condition: 'service_healthy' } } } };
    expect(
      compose.dependencyCycles(planted({ depends_on: { a: { condition: 'service_healthy' } } }, back)),
    ).toHaveLength(2);
    expect(compose.missingDependencies(planted({ environment: { URL: 'http://a:80/' } }, { a: {} }))).toHaveLength(1);
  });

  test('pins images, defines what it uses, and asks for no power', () => {
    expect([...compose.loosePins(file), ...compose.looseReferences(file), ...compose.needlessPower(file)]).toEqual([]);
    const offender = planted({ image: 'postgres:latest', build: '.', privileged: true, volumes: ['gone:/x'] });
    expect(compose.loosePins(offender)).toHaveLength(1);
    expect(compose.looseReferences(offender)).toEqual(['volume gone is not defined']);
    expect(compose.needlessPower(offender)).toHaveLength(2);
  });

  test('brings Temporal the settings of the embedded server', () => {
    const content = file.configs?.['temporal-dynamic-config']?.content ?? '';
    const settings = [...content.matchAll(/^(\S+):\n {2}- value: (\S+)$/gm)].map(
      ([, name, value]) => `${name}=${value}`,
    );
    const embedded = /const dynamicConfig = \[(.*?)\];/s.exec(read('src/temporal/embedded-server.ts'))?.[1] ?? '';
    expect(settings).toEqual([...embedded.matchAll(/'(.+)'/g)].map(([, setting = '']) => setting.replaceAll('"', '')));
    expect(settings.length).toBeGreaterThan(4);
  });
});

describe('Dockerfile', () => {
  test('starts what the build makes, as an ordinary user', () => {
    const [runtime, entry = ''] = docker.execForm(docker.lastOf(final, 'ENTRYPOINT'));
    expect([runtime, entry]).toEqual(['node', manifest.bin.perdure]);
    expect(existsSync(`${root}${entry.replace(/^dist\//, '').replace(/js$/, 'ts')}`)).toBe(true);
    expect(docker.rootUsers(stages)).toEqual([]);
    expect(docker.rootUsers(docker.readDockerfile('FROM node:24\nUSER root'))).toEqual(['the image runs as root']);
  });

  test('has one Node.js, which is new enough', () => {
    expect([...docker.differentBases(stages), ...docker.oldNode(stages, manifest.engines.node)]).toEqual([]);
    const old = docker.readDockerfile('FROM node:18-slim AS build\nFROM node:20-alpine');
    expect(docker.differentBases(old)).toHaveLength(1);
    expect(docker.oldNode(old, manifest.engines.node)).toHaveLength(2);
  });

  test('copies all that the build reads, and nothing that is not there', () => {
    const paths = docker.copiedPaths(stages);
    const unavailable = (list: readonly string[]) =>
      docker.unavailablePaths(list, (path) => existsSync(`${root}${path}`), read('.dockerignore'));
    expect(unavailable(paths)).toEqual([]);
    expect(unavailable(['gone.json', 'test/tidy.test.ts', 'README.md', 'scripts/__pycache__'])).toHaveLength(4);
    const lists = [...read('scripts/build.mjs').matchAll(/^const (?:sourceFolders|otherInputs) = \[(.*)\];/gm)];
    const inputs = lists.flatMap(([, list = '']) => [...list.matchAll(/'([^']+)'/g)].map(([, input]) => input ?? ''));
    expect(inputs).toContain('workflows');
    expect(docker.missingInputs(paths, inputs)).toEqual([]);
    expect(docker.missingInputs(paths, ['prisma'])).toHaveLength(1);
  });
});

test('variables are put in as Docker Compose does it', () => {
  expect(interpolate('a ${B:-${C:-d}} $$e ${F}', { F: 'f' })).toBe('a d $e f');
  expect(interpolate('${B:-${C:-d}}', { C: 'c' })).toBe('c');
  expect(() => interpolate('${B:?say why}', { B: '' })).toThrow('B is required: say why');
  expect(() => interpolate('${B?}', {})).toThrow('not known here');
});
