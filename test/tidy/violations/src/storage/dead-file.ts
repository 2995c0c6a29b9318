// planted: dead-code files
// planted: boundaries no-orphan
export const nobodyImportsThisFile = 'dead';
