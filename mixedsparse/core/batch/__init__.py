"""Many theta or many responses of one problem at a time: profiles and the bootstrap."""
