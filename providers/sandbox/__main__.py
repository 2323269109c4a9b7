from providers.sandbox.server import main

main()
