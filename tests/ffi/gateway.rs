// SPDX-License-Identifier: MIT

//! monime.h from Rust and its standard library alone: what is declared here by
//! hand is all that is needed.
//!
//!     gateway FOLDER PROFILE <TOKENS
//!
//! judges the tokens, a line each, and then makes one payout.

use std::env;
use std::ffi::{CStr, CString};
use std::io::{self, BufRead};
use std::os::raw::{c_char, c_int, c_void};
use std::process::ExitCode;
use std::ptr;

#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

#[link(name = "monime")]
extern "C" {
    fn monime_open(
        profile: *const c_char,
        folder: *const c_char,
        m: *mut *mut Opaque,
    ) -> c_int;
    fn monime_close(m: *mut Opaque);
    fn monime_error(m: *const Opaque) -> *const c_char;
    fn monime_http_status(code: c_int) -> c_int;
    fn monime_check_token(
        m: *mut Opaque,
        token: *const c_char,
        len: usize,
        call: *mut *mut Opaque,
    ) -> c_int;
    fn monime_request(
        m: *mut Opaque,
        method: *const c_char,
        path: *const c_char,
        headers: *const *const c_char,
        body: *const c_void,
        len: usize,
        call: *mut *mut Opaque,
    ) -> c_int;
    fn monime_call_status(call: *const Opaque) -> c_int;
    fn monime_call_get(call: *const Opaque, name: *const c_char) -> *const c_char;
    fn monime_call_error(call: *const Opaque) -> *const c_char;
    fn monime_call_free(call: *mut Opaque);
}

const OK: c_int = 0;

/// A result code other than OK, and what it says.
struct Error {
    code: c_int,
    text: String,
}

/// Text of C's, which is copied; `None` for NULL.
fn text(s: *const c_char) -> Option<String> {
    // SAFETY: monime.h: strings end in NUL, and live as long as their object.
    (!s.is_null()).then(|| unsafe { CStr::from_ptr(s) }.to_string_lossy().into_owned())
}

/// What came of one operation.
struct Call {
    call: *mut Opaque,
    result: c_int,
}

impl Call {
    fn of(start: impl FnOnce(*mut *mut Opaque) -> c_int) -> Call {
        let mut call = ptr::null_mut();
        let result = start(&mut call);
        Call { call, result }
    }

    fn fact(&self, name: &str) -> String {
        let name = CString::new(name).expect("a name");
        // SAFETY: the call is ours until it is dropped.
        text(unsafe { monime_call_get(self.call, name.as_ptr()) }).unwrap_or("-".into())
    }

    fn status(&self) -> c_int {
        // SAFETY: as above.
        unsafe { monime_call_status(self.call) }
    }

    fn done(self) -> Result<Call, Error> {
        match self.result {
            OK => Ok(self),
            code => Err(Error {
                code,
                // SAFETY: as above.
                text: text(unsafe { monime_call_error(self.call) }).unwrap_or_default(),
            }),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: nobody else has it; NULL is allowed.
        unsafe { monime_call_free(self.call) }
    }
}

/// One profile, opened.
struct Profile(*mut Opaque);

// SAFETY: monime.h: any number of threads may use a handle.
unsafe impl Send for Profile {}
unsafe impl Sync for Profile {}

impl Profile {
    fn open(name: &str, folder: &str) -> Result<Profile, Error> {
        let (name, folder) = match (CString::new(name), CString::new(folder)) {
            (Ok(name), Ok(folder)) => (name, folder),
            _ => {
                return Err(Error {
                    code: -10,
                    text: "a name with a NUL".into(),
                })
            }
        };
        let mut m = ptr::null_mut();
        // SAFETY: both strings outlive the function.
        let code = unsafe { monime_open(name.as_ptr(), folder.as_ptr(), &mut m) };
        let profile = Profile(m);
        match code {
            OK => Ok(profile),
            // SAFETY: on failure it is still a handle.
            _ => Err(Error {
                code,
                text: text(unsafe { monime_error(profile.0) }).unwrap_or_default(),
            }),
        }
    }

    fn check(&self, token: &str) -> Call {
        // SAFETY: the token's length goes with it; arguments are copied.
        Call::of(|call| unsafe {
            monime_check_token(self.0, token.as_ptr().cast(), token.len(), call)
        })
    }

    fn post(&self, path: &str, body: &[u8]) -> Result<Call, Error> {
        let path = CString::new(path).expect("a path");
        let method = CString::new("POST").expect("a method");
        // SAFETY: as above; there are no headers.
        Call::of(|call| unsafe {
            monime_request(
                self.0,
                method.as_ptr(),
                path.as_ptr(),
                ptr::null(),
                body.as_ptr().cast(),
                body.len(),
                call,
            )
        })
        .done()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // SAFETY: nobody is inside: whoever drops it has the only one.
        unsafe { monime_close(self.0) }
    }
}

fn run(folder: &str, name: &str) -> Result<(), Error> {
    let profile = Profile::open(name, folder)?;
    for token in io::stdin().lock().lines().map_while(Result::ok) {
        let call = profile.check(&token);
        // SAFETY: it takes any number.
        let status = unsafe { monime_http_status(call.result) };
        println!("{} {} {}", call.result, status, call.fact("source"));
    }
    let paid = profile.post(
        "/v1/payouts",
        b"{\"amount\":{\"currency\":\"SLE\",\"value\":100}}",
    )?;
    println!("paid {} {}", paid.status(), paid.fact("executed"));
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if arguments.len() != 3 {
        eprintln!("usage: gateway FOLDER PROFILE <TOKENS");
        return ExitCode::from(2);
    }
    match run(&arguments[1], &arguments[2]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            println!("failed {}", e.code);
            eprintln!("{}", e.text);
            ExitCode::FAILURE
        }
    }
}
