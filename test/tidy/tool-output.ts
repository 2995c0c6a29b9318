/** What each tool of the gate prints, boiled down to one `<path> <rule>` per offence. */

export interface ToolReport {
  /** Files or modules that the tool looked at; of knip, which does not say, those that it has something to say about. */
  readonly scanned: number;
  readonly reports: readonly string[];
}

interface BiomeReport {
  readonly summary: { readonly unchanged: number; readonly changed: number };
  readonly diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[];
}

export function readBiome(output: string): ToolReport {
  // It explains itself in text too; its JSON is the one line that is an object.
  const json = output.split('\n').find((line) => line.startsWith('{'));
  const { summary, diagnostics } = JSON.parse(json ?? '{}') as BiomeReport;
  return {
    scanned: summary.unchanged + summary.changed,
    reports: diagnostics.map(({ category, location }) => `${location.path} ${category.split('/').at(-1)}`),
  };
}

export function readOxlint(output: string): ToolReport {
  const report = JSON.parse(output) as { number_of_files: number; diagnostics: { code: string; filename: string }[] };
  return {
    scanned: report.number_of_files,
    reports: report.diagnostics.map(({ code, filename }) => `${filename} ${code}`),
  };
}

export function readTsc(output: string): ToolReport {
  return {
    scanned: Number(/^Files: +(\d+)/m.exec(output)?.[1] ?? 0),
    reports: [...output.matchAll(/^(\S+)\(\d+,\d+\): error (TS\d+)/gm)].map(([, path, code]) => `${path} ${code}`),
  };
}

export function readCruise(output: string): ToolReport {
  return {
    scanned: Number(/(\d+) modules/.exec(output)?.[1] ?? 0),
    reports: [...output.matchAll(/^ *error ([\w-]+): (\S+)/gm)].map(([, rule, path]) => `${path} ${rule}`),
  };
}

/** Each issue is a file with one list per kind of finding. */
export function readKnip(output: string): ToolReport {
  const { issues } = JSON.parse(output) as { issues: ({ file: string } & Record<string, unknown>)[] };
  const reports = issues.flatMap(({ file, ...kinds }) =>
    Object.entries(kinds).flatMap(([kind, found]) => (Array.isArray(found) ? found.map(() => `${file} ${kind}`) : [])),
  );
  return { scanned: issues.length, reports };
}
