/** What must hold in a compose file. Each rule returns one line per offence. */
import { type ComposeFile, ownServicesOf, type ServiceDefinition, servicesOf } from './compose-file.ts';

export function loosePins(compose: ComposeFile): string[] {
  return servicesOf(compose)
    .filter(([, { image }]) => !/:v?\d/.test(image))
    .map(([name, { image }]) => `${name}: ${image} names no version`);
}

export function publicPorts(compose: ComposeFile): string[] {
  return servicesOf(compose).flatMap(([name, { ports = [] }]) =>
    ports.filter((port) => !port.startsWith('127.0.0.1:')).map((port) => `${name}: ${port} is open to the network`),
  );
}

/** @param commands of our program */
export function unknownCommands(compose: ComposeFile, commands: readonly string[]): string[] {
  return ownServicesOf(compose)
    .filter(([, { command = [] }]) => !commands.includes(command[0] ?? ''))
    .map(([name, { command = [] }]) => `${name}: there is no command ${command[0]}`);
}

/** @param known names that the program reads when it is given this command */
export function unknownVariables(compose: ComposeFile, known: (command: string) => readonly string[]): string[] {
  return ownServicesOf(compose).flatMap(([name, { command = [], environment = {} }]) => {
    const names = known(command[0] ?? '');
    return Object.keys(environment)
      .filter((variable) => !names.includes(variable))
      .map((variable) => `${name}: nobody reads ${variable}`);
  });
}

/** All but jobs, which end by themselves, and parts of a profile that say they have nothing to ask. */
export function unwatchedServices(
  compose: ComposeFile,
  imageHasCheck: (service: ServiceDefinition) => boolean,
): string[] {
  const isWatched = (service: ServiceDefinition): boolean => {
    const { healthcheck, profiles } = service;
    if (healthcheck === undefined) return imageHasCheck(service);
    return healthcheck.test !== undefined || (healthcheck.disable === true && profiles !== undefined);
  };
  return lastingServicesOf(compose)
    .filter(([, service]) => !isWatched(service))
    .map(([name]) => `${name}: has no health check`);
}

export function unrestartedServices(compose: ComposeFile): string[] {
  return lastingServicesOf(compose)
    .filter(([, { restart }]) => restart !== 'unless-stopped')
    .map(([name]) => `${name}: is not started again`);
}

export function brokenDependencies(compose: ComposeFile): string[] {
  const jobs = jobsOf(compose);
  return servicesOf(compose).flatMap(([name, { depends_on = {} }]) =>
    Object.entries(depends_on).flatMap(([target, { condition }]) => {
      const service = compose.services[target];
      if (service === undefined) return [`${name}: waits for ${target}, which is no service`];
      if (service.profiles !== undefined) return [`${name}: waits for ${target}, which only a profile starts`];
      if (condition === 'service_started') return [`${name}: does not wait until ${target} serves`];
      const isJob = jobs.has(target) && service.restart !== 'unless-stopped';
      const fits = condition === (isJob ? 'service_completed_successfully' : 'service_healthy');
      return fits ? [] : [`${name}: ${target} will never be ${condition}`];
    }),
  );
}

export function dependencyCycles(compose: ComposeFile): string[] {
  return servicesOf(compose)
    .filter(([name]) => dependenciesOf(compose, name).has(name))
    .map(([name]) => `${name}: waits for itself`);
}

/** A service that is given another one's address has to wait for it. */
export function missingDependencies(compose: ComposeFile): string[] {
  const names = Object.keys(compose.services);
  return servicesOf(compose).flatMap(([name, { environment = {} }]) => {
    const waitsFor = dependenciesOf(compose, name);
    return names
      .filter((other) => other !== name && !waitsFor.has(other))
      .filter((other) => Object.values(environment).some((value) => isAddressOf(other, String(value))))
      .map((other) => `${name}: uses ${other} and does not wait for it`);
  });
}

export function looseReferences(compose: ComposeFile): string[] {
  const services = servicesOf(compose).map(([, service]) => service);
  const uses = [
    ...services.flatMap(({ volumes = [] }) => volumes.map((volume) => `volume ${volume.split(':')[0]}`)),
    ...services.flatMap(({ configs = [] }) => configs.map(({ source }) => `config ${source}`)),
  ];
  const defined = [
    ...Object.keys(compose.volumes ?? {}).map((name) => `volume ${name}`),
    ...Object.keys(compose.configs ?? {}).map((name) => `config ${name}`),
  ];
  return [
    ...uses.filter((use) => !defined.includes(use)).map((use) => `${use} is not defined`),
    ...defined.filter((name) => !uses.includes(name)).map((name) => `${name} is not used`),
  ];
}

export function needlessPower(compose: ComposeFile): string[] {
  return [
    ...servicesOf(compose).filter(([, { privileged }]) => privileged === true),
    ...ownServicesOf(compose).filter(([, service]) => service.read_only !== true),
  ].map(([name]) => `${name}: may do more than it needs`);
}

const jobsOf = (compose: ComposeFile): Set<string> =>
  new Set(
    servicesOf(compose)
      .flatMap(([, { depends_on = {} }]) => Object.entries(depends_on))
      .filter(([, { condition }]) => condition === 'service_completed_successfully')
      .map(([target]) => target),
  );

function lastingServicesOf(compose: ComposeFile): (readonly [name: string, service: ServiceDefinition])[] {
  const jobs = jobsOf(compose);
  return servicesOf(compose).filter(([name]) => !jobs.has(name));
}

function dependenciesOf(compose: ComposeFile, name: string): Set<string> {
  const found = new Set<string>();
  const visit = (current: string): void => {
    for (const target of Object.keys(compose.services[current]?.depends_on ?? {})) {
      if (found.has(target)) continue;
      found.add(target);
      visit(target);
    }
  };
  visit(name);
  return found;
}

/** `postgres`, `temporal:7233`, `postgresql://user:password@postgres:5432/x`; but no `postgres12`. */
const isAddressOf = (service: string, value: string): boolean =>
  value === service || new RegExp(`(?:^|[/@])${service}:\\d`).test(value);
