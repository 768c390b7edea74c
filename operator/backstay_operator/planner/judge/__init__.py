"""Questions with an answer and a reason: may this be carried out, is that epoch over, which host, what stands against it. Asks for nothing."""
