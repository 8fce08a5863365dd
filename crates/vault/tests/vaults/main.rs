//! What every vault promises, asked of every provider: a file, a real token library, a real server.

mod conformance;
mod file;
mod media;
mod openbao;
mod own_process;
mod pkcs11;
mod softhsm;
mod transit;
