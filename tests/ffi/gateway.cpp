/* SPDX-License-Identifier: MIT */

/*
 * monime.h from C++: objects that free themselves, errors that are thrown.
 *
 *	gateway FOLDER PROFILE <TOKENS
 *
 * judges the tokens, a line each, and then makes one payout.
 */

#include <cstddef>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <monime.h>

namespace {

struct Free {
	void
	operator()(monime *m) const noexcept
	{
		monime_close(m);
	}

	void
	operator()(monime_call *call) const noexcept
	{
		monime_call_free(call);
	}
};

using Handle = std::unique_ptr<monime, Free>;

class Error : public std::runtime_error {
public:
	Error(int result, const std::string &text)
	    : std::runtime_error(text), code(result)
	{
	}

	const int code;
};

/* What came of one operation. */
class Call {
public:
	int
	result() const noexcept
	{
		return monime_call_result(call.get());
	}

	int
	status() const noexcept
	{
		return monime_call_status(call.get());
	}

	std::string
	fact(const char *name) const
	{
		const char *value = monime_call_get(call.get(), name);

		return value != nullptr ? value : "-";
	}

	std::string
	error() const
	{
		return monime_call_error(call.get());
	}

	/* The functions of monime.h want to be given this. */
	template<typename Function, typename... Arguments>
	static Call
	of(Function function, Arguments... arguments)
	{
		monime_call *call = nullptr;
		/* The call tells it again, whether there is one or not. */
		int r = function(arguments..., &call);

		(void)r;
		return Call(call);
	}

private:
	explicit Call(monime_call *made) noexcept
	    : call(made)
	{
	}

	std::unique_ptr<monime_call, Free> call;
};

class Profile {
public:
	Profile(const std::string &name, const std::string &folder)
	{
		monime *opened;
		int r = monime_open(name.c_str(), folder.c_str(), &opened);

		handle.reset(opened);
		if (r != MONIME_OK)
			throw Error(r, monime_error(opened));
	}

	Call
	check(const std::string &token) const
	{
		return Call::of(monime_check_token, handle.get(),
		    token.data(), token.size());
	}

	Call
	post(const std::string &path, const std::string &body) const
	{
		Call call = Call::of(monime_request, handle.get(), "POST",
		    path.c_str(), static_cast<const char *const *>(nullptr),
		    static_cast<const void *>(body.data()), body.size());

		if (call.result() != MONIME_OK)
			throw Error(call.result(), call.error());
		return call;
	}

private:
	Handle handle;
};

}

int
main(int argc, char **argv)
{
	std::string token;

	if (argc != 3) {
		std::cerr << "usage: gateway FOLDER PROFILE <TOKENS\n";
		return 2;
	}
	try {
		const Profile profile(argv[2], argv[1]);

		while (std::getline(std::cin, token)) {
			const Call call = profile.check(token);

			std::cout << call.result() << ' ' <<
			    monime_http_status(call.result()) << ' ' <<
			    call.fact("source") << std::endl;
		}
		const Call paid = profile.post("/v1/payouts",
		    "{\"amount\":{\"currency\":\"SLE\",\"value\":100}}");

		std::cout << "paid " << paid.status() << ' ' <<
		    paid.fact("executed") << std::endl;
	} catch (const Error &e) {
		std::cout << "failed " << e.code << std::endl;
		std::cerr << e.what() << '\n';
		return 1;
	}
	return 0;
}
