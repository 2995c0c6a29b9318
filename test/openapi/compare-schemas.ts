/** What one schema says and another does not, keyword by keyword. Prose and examples are not compared. */

// biome-ignore lint: a schema is JSON of any shape.
type Json = any;

export interface Comparison {
  /** Said by the first, and missing or different in the second. */
  readonly differences: readonly string[];
  /** Said by the second alone. */
  readonly additions: readonly string[];
}

export interface ComparisonRules {
  /** Where we are, for the reader. */
  readonly path: string;
  /** Whether the second may require more keys: an answer may promise more, a request may not ask for more. */
  readonly required: 'equal' | 'at least';
}

const prose = ['description', 'example', 'examples', 'title'];
const structure = new Set(['properties', 'required', 'items', 'allOf', 'nullable', 'type', ...prose]);

export function compareSchemas(first: Json, second: Json, rules: ComparisonRules): Comparison {
  if (second === undefined) return { differences: [rules.path], additions: [] };
  const [known, ours] = [first, withoutNull(second)];
  const parts = [
    compareKeywords(known, ours, rules.path),
    compareRequired(known, ours, rules),
    ...Object.entries<Json>(known.properties ?? {}).map(([name, property]) =>
      compareSchemas(property, ours.properties?.[name], { ...rules, path: `${rules.path}.${name}` }),
    ),
    ...(known.items === undefined
      ? []
      : [compareSchemas(known.items, ours.items, { ...rules, path: `${rules.path}[]` })]),
    ...(known.allOf ?? []).map((part: Json, index: number) =>
      compareSchemas(part, ours.allOf?.[index], { ...rules, path: `${rules.path}.allOf[${index}]` }),
    ),
  ];
  const added = Object.keys(ours.properties ?? {}).filter((name) => known.properties?.[name] === undefined);
  return {
    differences: parts.flatMap(({ differences }) => differences),
    additions: [...parts.flatMap(({ additions }) => additions), ...added.map((name) => `${rules.path}.${name}`)],
  };
}

/** `nullable: true` of the page is a type of its own in OpenAPI 3.1. */
function withoutNull(schema: Json): Json {
  if (Array.isArray(schema.type)) {
    const [type, ...others] = schema.type.filter((one: string) => one !== 'null');
    return { ...schema, type: others.length === 0 ? type : [type, ...others], nullable: schema.type.includes('null') };
  }
  const [value, ...others] = (schema.anyOf ?? []).filter((one: Json) => one.type !== 'null');
  if (schema.anyOf?.length !== 2 || others.length > 0) return schema;
  const { anyOf: _branches, ...rest } = schema;
  return { ...rest, ...value, nullable: true };
}

function compareKeywords(known: Json, ours: Json, path: string): Comparison {
  const said = (keyword: string) => known[keyword] !== undefined;
  const isSame = (keyword: string) => JSON.stringify(known[keyword]) === JSON.stringify(ours[keyword]);
  const compared = ['type', 'nullable', ...Object.keys(known).filter((keyword) => !structure.has(keyword))];
  return {
    differences: compared.filter((keyword) => said(keyword) && !isSame(keyword)).map((keyword) => `${path} ${keyword}`),
    additions: Object.keys(ours)
      .filter((keyword) => !structure.has(keyword) && !said(keyword))
      .map((keyword) => `${path} ${keyword}`),
  };
}

function compareRequired(known: Json, ours: Json, rules: ComparisonRules): Comparison {
  const [wanted, given] = [known.required ?? [], ours.required ?? []] as [string[], string[]];
  const missing = wanted.filter((name) => !given.includes(name)).map((name) => `${rules.path} required ${name}`);
  const more = given.filter((name) => !wanted.includes(name)).map((name) => `${rules.path} required ${name}`);
  return rules.required === 'equal'
    ? { differences: [...missing, ...more], additions: [] }
    : { differences: missing, additions: more };
}
