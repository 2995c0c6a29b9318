// planted: boundaries product-code-needs-no-dev-dependency
import { integer } from 'fast-check';

export const anyPort = integer({ min: 1, max: 65_535 });
