export declare const workbenchHome: string;
export declare const nodeFolder: string;
export declare const nodeBinary: string;
export declare const codeServerFolder: string;
export declare const codeServerEntry: string;
export declare const chromiumBinary: string;
