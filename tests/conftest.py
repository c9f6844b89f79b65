from hypothesis import settings

settings.register_profile("busy machine", deadline=None)  # how long an example takes says nothing of it being right
settings.load_profile("busy machine")
