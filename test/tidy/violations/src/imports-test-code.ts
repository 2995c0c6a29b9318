// planted: boundaries product-code-needs-no-test-code
import { nothing } from '../test/utils/nothing.ts';

export const less = nothing;
