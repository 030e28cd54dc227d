# filled by the server folder
